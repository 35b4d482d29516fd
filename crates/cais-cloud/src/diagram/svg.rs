//! The picture as SVG: how everything looks, in light and in dark. What is in the picture is decided in [`super::picture`],
//! where it stands in [`super::layout`].
//!
//! Traffic runs from the top down: the internet, the load balancer in the public subnets, services and cache in the private
//! ones. What a service uses besides stands to the right of the VPC. Lines are straight and keep to gutters, so that none
//! crosses a box.

use super::layout::{BAR, BAR_GAP, CARD, CARD_GAP, COLUMN_GAP, Layout, MARGIN, NAT, Rect, TOP};
use super::picture::{Beside, Cache, Entry, Picture, Service};
use super::text::{escape, fit, width};
use std::fmt::Write;

/// The whole file.
pub(super) fn svg(picture: &Picture) -> String {
    Drawing::new(picture).draw()
}

struct Drawing<'a> {
    picture: &'a Picture,
    layout: Layout,
    out: String,
}

impl<'a> Drawing<'a> {
    fn new(picture: &'a Picture) -> Self {
        Self {
            picture,
            layout: Layout::new(picture),
            out: String::new(),
        }
    }

    fn draw(mut self) -> String {
        let (w, h) = self.layout.total;
        let title = format!(
            "{} on AWS: {}",
            self.picture.project, self.picture.environment
        );
        let _ = write!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
             aria-labelledby=\"title desc\">\n<!-- {} -->\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n{STYLE}",
            super::HEADER,
            escape(&title),
            escape(&self.picture.sentence()),
        );
        let _ = writeln!(
            self.out,
            "<rect class=\"page\" width=\"{w}\" height=\"{h}\" rx=\"12\"/>"
        );
        self.text(MARGIN, MARGIN + 22, "h1", &title);
        self.text(MARGIN, MARGIN + 44, "quiet", &self.picture.sentence());
        self.legend();
        self.frames();
        self.entry();
        self.load_balancer();
        self.nat();
        self.services();
        self.caches();
        self.beside();
        self.out.push_str("</svg>\n");
        self.out
    }

    fn legend(&mut self) {
        let (x, y) = (self.layout.region.right(), MARGIN + 22);
        self.text_at(x, y, "small", "end", "managed by AWS, reached from the VPC");
        let dashes = x - width("managed by AWS, reached from the VPC", 12) - 12;
        self.line(&[(dashes - 34, y - 4), (dashes, y - 4)], "use");
        let task = dashes - 34 - 24;
        self.text_at(task, y, "small", "end", "a task");
        let x = task - width("a task", 12) - 20;
        self.rect(
            Rect {
                x,
                y: y - 11,
                w: 14,
                h: 14,
            },
            "task",
            3,
        );
    }

    fn frames(&mut self) {
        let Layout { region, vpc, .. } = self.layout;
        self.rect(region, "region", 12);
        let account = self.picture.account.as_deref();
        let account = account.map_or_else(String::new, |account| format!(" · account {account}"));
        self.text(
            region.x + 16,
            region.y + 27,
            "frame",
            &format!("AWS {}{account}", self.picture.region),
        );
        self.rect(vpc, "vpc", 10);
        self.text(
            vpc.x + 14,
            vpc.y + 23,
            "frame",
            &format!("VPC {}", self.picture.cidr),
        );
        for (index, zone) in self.picture.zones.iter().enumerate() {
            let x = self.layout.zone(index);
            let subnets = [
                (
                    self.layout.public,
                    self.layout.public_height,
                    "public",
                    &zone.public,
                ),
                (
                    self.layout.private,
                    self.layout.private_height,
                    "private",
                    &zone.private,
                ),
            ];
            let centre = x + self.layout.column / 2;
            self.text_at(centre, vpc.y + 23, "zone", "middle", &zone.name);
            for (y, h, class, cidr) in subnets {
                self.rect(
                    Rect {
                        x,
                        y,
                        w: self.layout.column,
                        h,
                    },
                    class,
                    8,
                );
                self.text(x + 12, y + 18, "small", &format!("{class} {cidr}"));
            }
        }
    }

    /// The internet, and the names under which the stack is found there.
    fn entry(&mut self) {
        let Some(entry) = &self.picture.entry else {
            return;
        };
        let bar = self.layout.load_balancer();
        // Between two zones, so that the line crosses none of their words.
        let x = match self.picture.zones.len() {
            0 | 1 => bar.right() - 60,
            zones => self.layout.zone(zones / 2) - COLUMN_GAP / 2,
        };
        let pill = Rect {
            x: x - 70,
            y: MARGIN + TOP,
            w: 140,
            h: 34,
        };
        self.rect(pill, "pill", 17);
        self.text_at(x, pill.y + 22, "name", "middle", "Internet");
        self.line(&[(x, pill.bottom()), (x, bar.y)], "flow");
        for (at, word) in words(entry).iter().enumerate() {
            let y = pill.bottom() + 22 + i32::try_from(at).unwrap_or(0) * 17;
            self.text(x + 14, y, if at == 0 { "label" } else { "small" }, word);
        }
    }

    fn load_balancer(&mut self) {
        let Some(entry) = &self.picture.entry else {
            return;
        };
        let bar = self.layout.load_balancer();
        self.card(bar, "edge", "Application Load Balancer", &entry.detail);
        // Routes go down the left gutter.
        let routed: Vec<(i32, String)> = self
            .picture
            .services
            .iter()
            .enumerate()
            .filter(|(_, service)| !service.routes.is_empty())
            .map(|(index, service)| (self.layout.row(index).middle(), service.routes.join(", ")))
            .collect();
        let Some((lowest, _)) = routed.last() else {
            return;
        };
        let x = self.layout.vpc.x + 20;
        self.line(
            &[(bar.x, bar.middle()), (x, bar.middle()), (x, *lowest)],
            "flow bare",
        );
        for (y, label) in routed.clone() {
            self.line(&[(x, y), (bar.x, y)], "flow");
            let room = bar.x - x - 22;
            self.text(x + 8, y - 7, "label", &fit(&label, room, 12));
        }
    }

    fn nat(&mut self) {
        let y = self.layout.public + 28 + BAR + BAR_GAP;
        for (index, zone) in self.picture.zones.iter().enumerate() {
            if zone.has_nat {
                let chip = Rect {
                    x: self.layout.zone(index) + 10,
                    y,
                    w: 128,
                    h: NAT - 4,
                };
                self.rect(chip, "chip", 6);
                self.text_at(
                    chip.x + chip.w / 2,
                    chip.y + 20,
                    "small",
                    "middle",
                    "NAT gateway ↗",
                );
            }
        }
    }

    fn services(&mut self) {
        for (index, service) in self.picture.services.iter().enumerate() {
            let bar = self.layout.row(index);
            self.card(bar, "service", &service.name, &service.detail);
            self.tasks(bar, service);
        }
        if self.picture.services.is_empty() {
            let bar = self.layout.row(0);
            self.text(bar.x + 6, bar.middle(), "quiet", "no services");
        }
    }

    /// A square for each task, spread over the zones as ECS spreads them.
    fn tasks(&mut self, bar: Rect, service: &Service) {
        const SHOWN: u32 = 12;
        let zones = u32::try_from(self.picture.zones.len().max(1)).unwrap_or(1);
        for task in 0..service.tasks.min(SHOWN) {
            let zone = usize::try_from(task % zones).unwrap_or(0);
            let place = i32::try_from(task / zones).unwrap_or(0);
            let right = self.layout.zone(zone) + self.layout.column - 20;
            let square = Rect {
                x: right - 14 - place * 20,
                y: bar.y + 12,
                w: 14,
                h: 14,
            };
            self.rect(square, "task", 3);
        }
    }

    fn caches(&mut self) {
        let first = self.picture.services.len();
        for (index, cache) in self.picture.caches.iter().enumerate() {
            let bar = self.layout.row(first + index);
            self.card(bar, "cache", &cache.name, &cache.detail);
            self.cache_lines(bar, cache, index);
        }
    }

    /// From the services that use a cache, down the right gutter.
    fn cache_lines(&mut self, bar: Rect, cache: &Cache, index: usize) {
        let x = bar.right() + 10 + 12 + i32::try_from(index).unwrap_or(0) * 8;
        let users: Vec<i32> = self
            .picture
            .services
            .iter()
            .enumerate()
            .filter(|(_, service)| service.uses.contains(&cache.name))
            .map(|(at, _)| self.layout.row(at).middle())
            .collect();
        let Some(highest) = users.first() else {
            return;
        };
        for y in &users[1..] {
            self.line(&[(bar.right(), *y), (x, *y)], "flow bare");
        }
        self.line(
            &[
                (bar.right(), *highest),
                (x, *highest),
                (x, bar.middle()),
                (bar.right(), bar.middle()),
            ],
            "flow",
        );
    }

    fn beside(&mut self) {
        let mut y = self.layout.vpc.y;
        for Beside {
            name,
            detail,
            is_reached,
        } in &self.picture.beside
        {
            let card = Rect {
                x: self.layout.cards,
                y,
                w: CARD.0,
                h: CARD.1,
            };
            self.card(card, "managed", name, detail);
            let from = self.layout.vpc.right();
            if *is_reached && card.middle() < self.layout.vpc.bottom() {
                self.line(&[(from, card.middle()), (card.x, card.middle())], "use");
            }
            y += CARD.1 + CARD_GAP;
        }
    }

    /// A box with a name and a line about it.
    fn card(&mut self, rect: Rect, class: &str, name: &str, detail: &str) {
        self.rect(rect, &format!("box {class}"), 8);
        let _ = writeln!(
            self.out,
            "<rect class=\"mark {class}\" x=\"{}\" y=\"{}\" width=\"4\" height=\"{}\" rx=\"2\"/>",
            rect.x + 8,
            rect.y + 12,
            rect.h - 24
        );
        let room = rect.w - 36;
        self.text(rect.x + 22, rect.y + 25, "name", &fit(name, room, 15));
        self.text(rect.x + 22, rect.y + 45, "small", &fit(detail, room, 12));
    }

    fn rect(&mut self, rect: Rect, class: &str, radius: i32) {
        let Rect { x, y, w, h } = rect;
        let _ = writeln!(
            self.out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{radius}\"/>"
        );
    }

    fn text(&mut self, x: i32, y: i32, class: &str, text: &str) {
        self.text_at(x, y, class, "start", text);
    }

    fn text_at(&mut self, x: i32, y: i32, class: &str, anchor: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let anchor = match anchor {
            "start" => String::new(),
            other => format!(" text-anchor=\"{other}\""),
        };
        let _ = writeln!(
            self.out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{}</text>",
            escape(text)
        );
    }

    /// A line through these points; it ends in a head unless it is `bare`.
    fn line(&mut self, points: &[(i32, i32)], class: &str) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let _ = writeln!(
            self.out,
            "<polyline class=\"{class}\" points=\"{}\"/>",
            path.join(" ")
        );
        let [.., (x0, y0), (x, y)] = points else {
            return;
        };
        if class.contains("bare") {
            return;
        }
        // A head of our own: a marker does not follow the colour of its line everywhere.
        let (dx, dy) = ((x - x0).signum() * 7, (y - y0).signum() * 7);
        let (sx, sy) = (dy * 4 / 7, dx * 4 / 7);
        let _ = writeln!(
            self.out,
            "<polygon class=\"head {class}\" points=\"{x},{y} {},{} {},{}\"/>",
            x - dx + sx,
            y - dy + sy,
            x - dx - sx,
            y - dy - sy
        );
    }
}

/// What stands beside the arrow from the internet: the protocol, then the names.
fn words(entry: &Entry) -> Vec<String> {
    let mut words = vec![entry.protocol.clone()];
    let room = 420;
    words.extend(entry.names.iter().map(|name| fit(name, room, 12)));
    words
}

/// One sheet for light and dark; the page has a ground of its own, so that it can stand on any other.
const STYLE: &str = "<style>
  svg { --ground: #ffffff; --ink: #1c2430; --quiet: #5b6675; --edge: #c9d1db; --line: #55606f;
        --public: #eef6ee; --public-edge: #a9cdaa; --private: #eef3fb; --private-edge: #a9c0e2;
        --box: #ffffff; --orange: #c4621a; --green: #2e7d4f; --blue: #2f62b5; --red: #b3374a; --violet: #6b4fb0;
        font-family: ui-sans-serif, system-ui, -apple-system, \"Segoe UI\", Roboto, \"Helvetica Neue\", Arial, sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #12161c; --ink: #e6eaf0; --quiet: #9aa6b5; --edge: #39424e; --line: #93a0b0;
          --public: #16211a; --public-edge: #355c40; --private: #151d2b; --private-edge: #35507c;
          --box: #1b2129; --orange: #e8914f; --green: #5fb583; --blue: #7aa5ea; --red: #e27a8a; --violet: #a78fe0; }
  }
  .page { fill: var(--ground); }
  .region { fill: none; stroke: var(--edge); stroke-width: 1.5; }
  .vpc { fill: none; stroke: var(--violet); stroke-width: 1.5; }
  .public { fill: var(--public); stroke: var(--public-edge); }
  .private { fill: var(--private); stroke: var(--private-edge); }
  .box { fill: var(--box); stroke: var(--edge); }
  .pill, .chip { fill: var(--box); stroke: var(--line); }
  .mark { stroke: none; }
  .mark.edge { fill: var(--violet); } .mark.service { fill: var(--orange); } .mark.cache { fill: var(--red); }
  .mark.managed { fill: var(--blue); }
  .task { fill: var(--orange); }
  .flow { fill: none; stroke: var(--line); stroke-width: 1.6; stroke-linejoin: round; }
  .use { fill: none; stroke: var(--line); stroke-width: 1.2; stroke-dasharray: 3 3; }
  .head { fill: var(--line); stroke: none; }
  text { fill: var(--ink); font-size: 12px; }
  .h1 { font-size: 20px; font-weight: 650; }
  .name { font-size: 15px; font-weight: 600; }
  .frame { font-size: 13px; font-weight: 600; fill: var(--quiet); }
  .zone { font-weight: 600; fill: var(--quiet); }
  .label { font-weight: 600; }
  .small, .quiet { fill: var(--quiet); }
  .quiet { font-size: 13px; }
</style>
";
