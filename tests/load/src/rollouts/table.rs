//! Markdown tables of results, with what they were measured on.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

/// A table with its heading.
#[derive(Debug, Clone, Default)]
pub struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Sentences below the table.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty one.
    pub fn new(title: &str, head: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(|cell| (*cell).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// One more row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, cells: &[String]| {
            let cells = cells.iter().map(|cell| cell.replace('|', "\\|"));
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        writeln!(f, "### {}\n", self.title)?;
        line(f, &self.head)?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        for row in &self.rows {
            line(f, row)?;
        }
        for note in &self.notes {
            write!(f, "\n- {note}")?;
        }
        writeln!(f)
    }
}

/// A row on standard error as soon as it is there: a long run is watched.
pub(super) fn tell(row: &[String]) {
    let _ = writeln!(std::io::stderr(), "{}", row.join(" | "));
}

/// Seconds with two decimals.
pub fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

/// Median and worst, in seconds.
pub fn median_and_worst(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(median), Some(worst)) => format!("{} / {}", seconds(*median), seconds(*worst)),
        _ => "-".to_owned(),
    }
}

/// Processor, cores, memory, kernel and how busy the machine was with other things.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_once(':')
            .map_or("unknown", |(_, value)| value.trim())
            .to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = field(&read("/proc/meminfo"), "MemTotal")
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or_default();
    let load = read("/proc/loadavg");
    format!(
        "{cores} cores of {}, {} GB, Linux {}; load average at the end {}",
        field(&read("/proc/cpuinfo"), "model name"),
        memory.div_ceil(1 << 20),
        read("/proc/sys/kernel/osrelease").trim(),
        load.split(' ').take(2).collect::<Vec<_>>().join(" "),
    )
}
