//! Where in its file a description is wrong.

use super::{Description, DescriptionError};
use serde::Deserialize;
use toml::Spanned;

/// The places of the tables in the text.
#[derive(Deserialize)]
struct Places {
    tone_zones: Option<Spanned<toml::Value>>,
    #[serde(default, rename = "span")]
    spans: Vec<Spanned<toml::Table>>,
    #[serde(default, rename = "cable")]
    cables: Vec<Spanned<toml::Table>>,
    #[serde(default, rename = "line")]
    lines: Vec<Spanned<toml::Table>>,
    #[serde(default, rename = "fault")]
    faults: Vec<Spanned<toml::Table>>,
}

/// The error with the line of the first table that brings it about, where one does.
pub(super) fn located(text: &str, description: &Description, error: DescriptionError) -> DescriptionError {
    match line(text, description) {
        Some(line) => DescriptionError::At { line, source: Box::new(error) },
        None => error,
    }
}

/// The TOML reader's error. Of one, keys with too many parts, it does not tell the line: the first whose end it does not
/// come to.
pub(super) fn placed(text: &str, error: toml::de::Error) -> DescriptionError {
    if error.span().is_some() {
        return DescriptionError::Syntax(error);
    }
    let ends: Vec<usize> = text.match_indices('\n').map(|(end, _)| end).collect();
    let is_read = |end: &usize| match toml::from_str::<toml::Table>(&text[..*end]) {
        Ok(_) => true,
        Err(error) => error.span().is_some(),
    };
    let line = ends.partition_point(is_read) + 1;
    DescriptionError::At { line, source: Box::new(DescriptionError::Key) }
}

fn line(text: &str, whole: &Description) -> Option<usize> {
    let places: Places = toml::from_str(text).ok()?;
    let first = |tables: &[Spanned<toml::Table>], keep: &dyn Fn(&mut Description, usize)| {
        let is_wrong = |count: &usize| {
            let mut part = Description { tone_zones: None, ..whole.clone() };
            keep(&mut part, *count);
            part.check().is_err()
        };
        let count = (1..=tables.len()).find(is_wrong)?;
        tables.get(count - 1).map(|table| line_of(text, table.span().start))
    };
    let spans = |part: &mut Description, count| {
        part.spans.truncate(count);
        (part.cables, part.lines, part.faults) = Default::default();
    };
    let cables = |part: &mut Description, count| {
        part.cables.truncate(count);
        (part.lines, part.faults) = Default::default();
    };
    let lines = |part: &mut Description, count| {
        part.lines.truncate(count);
        part.faults.clear();
    };
    first(&places.spans, &spans)
        .or_else(|| first(&places.cables, &cables))
        .or_else(|| first(&places.lines, &lines))
        .or_else(|| first(&places.faults, &|part, count| part.faults.truncate(count)))
        // What is left is wrong with no table: the zones, or that there are no spans, which the whole file is at fault for.
        .or_else(|| Some(places.tone_zones.map_or(1, |zones| line_of(text, zones.span().start))))
}

/// The number of the line that an octet is in, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_table_is_told() {
        let rows = [
            ("[[span]]\n\n[[span]]\nfirst_channel = 31\n", "line 3: span 2"),
            ("# zones\ntone_zones = [\"xx\"]\n[[span]]\n", "line 2: tone_zones: there is no zone"),
            ("# nothing\n", "line 1: 0 spans are described"),
            (
                "[[span]]\n[[span]]\n# from here\n[[cable]]\nfrom = 1\nto = 3\n",
                "line 4: a cable goes to span 3",
            ),
            (
                "[[span]]\n[[fault]]\nkind = \"ais\"\nspan = 1\n[[fault]]\nkind = \"ais\"\nspan = 2\n",
                "line 5: fault 2",
            ),
        ];
        for (text, said) in rows {
            let error = Description::from_toml(text).expect_err(text).to_string();
            assert!(error.starts_with(said), "{text:?}: {error}");
        }
        let deep = format!("[[span]]\n# {0}\n{0} = 1\n[[span]]\n", ["a"; 200].join("."));
        let error = Description::from_toml(&deep).expect_err("no such key").to_string();
        assert!(error.starts_with("line 3: a key has too many parts"), "{error}");
        let error =
            Description::from_toml("[[span]]\n[[fault]]\nkind = \"ais\"\n").expect_err("no span").to_string();
        assert!(error.contains("line 2") && error.contains("the fault ais needs `span`"), "{error}");
    }
}
