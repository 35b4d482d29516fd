//! Where everything in the picture stands: the large boxes, and the bars in them.

use super::picture::Picture;

pub(super) const MARGIN: i32 = 24;
/// From the region's edge to what stands in it.
pub(super) const PAD: i32 = 24;
/// Left of the subnets: routes; right of them: the way to the cache.
pub(super) const LEFT: i32 = 132;
pub(super) const RIGHT: i32 = 44;
pub(super) const COLUMN_GAP: i32 = 16;
pub(super) const BAR: i32 = 58;
pub(super) const BAR_GAP: i32 = 12;
pub(super) const NAT: i32 = 34;
pub(super) const CARD: (i32, i32) = (268, 62);
pub(super) const CARD_GAP: i32 = 12;
/// Between the VPC and what stands beside it.
pub(super) const GAP: i32 = 52;
pub(super) const TOP: i32 = 64;

/// Where the large boxes are.
pub(super) struct Layout {
    pub(super) column: i32,
    pub(super) vpc: Rect,
    pub(super) public: i32,
    pub(super) public_height: i32,
    pub(super) private: i32,
    pub(super) private_height: i32,
    pub(super) region: Rect,
    pub(super) cards: i32,
    pub(super) total: (i32, i32),
}

#[derive(Clone, Copy)]
pub(super) struct Rect {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) w: i32,
    pub(super) h: i32,
}

impl Rect {
    pub(super) fn right(self) -> i32 {
        self.x + self.w
    }

    pub(super) fn bottom(self) -> i32 {
        self.y + self.h
    }

    pub(super) fn middle(self) -> i32 {
        self.y + self.h / 2
    }
}

impl Layout {
    pub(super) fn new(picture: &Picture) -> Self {
        let zones = i32::try_from(picture.zones.len().max(1)).unwrap_or(i32::MAX);
        let column = if zones > 2 { 200 } else { 250 };
        let columns = zones * column + (zones - 1) * COLUMN_GAP;
        let bars = i32::try_from(picture.services.len() + picture.caches.len()).unwrap_or(0);
        let public_height = 28 + BAR + BAR_GAP + NAT + 14;
        let private_height = 28 + bars.max(1) * (BAR + BAR_GAP) + 4;
        let top = MARGIN + TOP + 84;
        let vpc = Rect {
            x: MARGIN + PAD,
            y: top + 44,
            w: LEFT + columns + RIGHT,
            h: 34 + public_height + 26 + private_height + 18,
        };
        let count = i32::try_from(picture.beside.len()).unwrap_or(0);
        let cards_height = count * (CARD.1 + CARD_GAP) - CARD_GAP;
        let height = vpc.h.max(cards_height);
        let region = Rect {
            x: MARGIN,
            y: top,
            w: PAD + vpc.w + GAP + CARD.0 + PAD,
            h: 44 + height + PAD,
        };
        Self {
            column,
            vpc,
            public: vpc.y + 34,
            public_height,
            private: vpc.y + 34 + public_height + 26,
            private_height,
            region,
            cards: vpc.right() + GAP,
            total: (region.right() + MARGIN, region.bottom() + MARGIN),
        }
    }

    pub(super) fn zone(&self, index: usize) -> i32 {
        let index = i32::try_from(index).unwrap_or(0);
        self.vpc.x + LEFT + index * (self.column + COLUMN_GAP)
    }

    /// A bar over all zones, in the row `y`.
    pub(super) fn bar(&self, y: i32) -> Rect {
        Rect {
            x: self.vpc.x + LEFT + 10,
            y,
            w: self.vpc.w - LEFT - RIGHT - 20,
            h: BAR,
        }
    }

    pub(super) fn row(&self, index: usize) -> Rect {
        let index = i32::try_from(index).unwrap_or(0);
        self.bar(self.private + 28 + index * (BAR + BAR_GAP))
    }

    pub(super) fn load_balancer(&self) -> Rect {
        self.bar(self.public + 28)
    }
}
