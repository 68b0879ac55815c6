//! Compares what `abi-probe` saw on the kernel and on the simulator. What may differ stands in one file, with its reason.

use serde::Deserialize;
use std::collections::BTreeMap;

/// `differences.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    /// Each difference that is right.
    #[serde(default, rename = "difference")]
    list: Vec<Difference>,
}

/// A check, or several, that see different things, and rightly so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// Why.
    reason: String,
    /// The checks: name, what the kernel gives, what the simulator gives.
    checks: Vec<(String, String, String)>,
    /// Whether the kernel does so only at times, by a race of its own: then both may also see the same.
    #[serde(default)]
    sometimes: bool,
}

/// The outcome of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Checks that saw the same.
    pub same: usize,
    /// Checks that differ as listed.
    pub listed: usize,
    /// What is wrong, in words.
    pub wrong: Vec<String>,
}

/// The lines of a report: what each check saw. What follows `   [FAILED` is the probe's own opinion.
pub fn parse(report: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let line = line.split("   [FAILED").next().unwrap_or_default();
        let (name, saw) = line.rsplit_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
        let group = name.split_once('.')?.0;
        let is_group = !group.is_empty() && group.chars().all(|letter| letter.is_ascii_lowercase());
        is_group.then(|| (name.to_owned(), saw.to_owned()))
    };
    report.lines().filter_map(line).collect()
}

impl Differences {
    /// Reads the file's text.
    ///
    /// # Errors
    /// Where it is not as it should be.
    pub fn read(text: &str) -> Result<Differences, toml::de::Error> {
        toml::from_str(text)
    }

    /// Compares two reports.
    pub fn compare(
        &self,
        kernel: &BTreeMap<String, String>,
        simulator: &BTreeMap<String, String>,
    ) -> Comparison {
        let mut result = Comparison::default();
        let checks = || self.list.iter().flat_map(|d| d.checks.iter().map(move |check| (d.sometimes, check)));
        for (name, kernel_saw) in kernel {
            let simulator_saw = simulator.get(name).map_or("(no such check)", String::as_str);
            let listed = checks().find(|(_, (listed, ..))| listed == name);
            match listed {
                None | Some((true, _)) if simulator_saw == kernel_saw => result.same += 1,
                Some((_, (_, k, s))) if k == kernel_saw && s == simulator_saw => result.listed += 1,
                _ => result
                    .wrong
                    .push(format!("{name}: the kernel gives {kernel_saw}, the simulator {simulator_saw}")),
            }
        }
        let only = simulator.keys().filter(|name| !kernel.contains_key(*name));
        result.wrong.extend(only.map(|name| format!("{name}: the kernel's report has no such check")));
        let gone = checks().map(|(_, check)| check).filter(|(name, ..)| !kernel.contains_key(name));
        result
            .wrong
            .extend(gone.map(|(name, ..)| format!("{name}: listed as a difference, but not a check")));
        let unexplained = self.list.iter().filter(|difference| difference.reason.trim().is_empty());
        result.wrong.extend(unexplained.map(|d| format!("{:?}: listed without a reason", d.checks)));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str =
        "# a comment\na.x: y: 1\na.same: ok   [FAILED: expected no]\na.empty:\n3 checks, 1 failed\n";

    fn compared(simulator: &str, differences: &str) -> Comparison {
        Differences::read(differences).expect("it is right").compare(&parse(KERNEL), &parse(simulator))
    }

    #[test]
    fn reports_are_read() {
        let report = parse(KERNEL);
        assert_eq!(report.len(), 3);
        assert_eq!(report["a.x: y"], "1");
        assert_eq!(report["a.same"], "ok");
        assert_eq!(report["a.empty"], "");
    }

    #[test]
    fn only_listed_differences_pass() {
        let list = "[[difference]]\nreason = \"r\"\nchecks = [[\"a.x: y\", \"1\", \"2\"]]";
        let simulator = "a.x: y: 2\na.same: ok\na.empty: \n";
        assert_eq!(compared(simulator, "").wrong.len(), 1);
        let result = compared(simulator, list);
        assert_eq!((result.same, result.listed, result.wrong.len()), (2, 1, 0));
        // One that is gone, one that is new, and a listed one that has become another.
        assert_eq!(compared("a.x: y: 3\na.new: 1\n", list).wrong.len(), 4);
        // A listed one that is no difference any more.
        assert_eq!(compared(KERNEL, list).wrong.len(), 1);
        let sometimes = format!("{list}\nsometimes = true");
        assert_eq!(compared(KERNEL, &sometimes).same, 3);
        assert_eq!(compared(simulator, &sometimes).listed, 1);
        assert_eq!(compared("a.x: y: 3\na.same: ok\na.empty: \n", &sometimes).wrong.len(), 1);
    }
}
