//! Where in its file a description is wrong.

use super::{Description, DescriptionError};
use serde::Deserialize;
use toml::Spanned;

/// The places of the tables in the text.
#[derive(Deserialize)]
struct Places {
    #[serde(default, rename = "span")]
    spans: Vec<Spanned<toml::Table>>,
    #[serde(default, rename = "cable")]
    cables: Vec<Spanned<toml::Table>>,
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

fn line(text: &str, whole: &Description) -> Option<usize> {
    let places: Places = toml::from_str(text).ok()?;
    let parts = |spans: usize, cables: usize, faults: usize| {
        let mut part = whole.clone();
        part.spans.truncate(spans);
        part.cables.truncate(cables);
        part.faults.truncate(faults);
        part.check().is_err()
    };
    let (spans, cables, faults) = (whole.spans.len(), whole.cables.len(), whole.faults.len());
    let first = |tables: &[Spanned<toml::Table>], is_wrong: &dyn Fn(usize) -> bool| {
        let count = (1..=tables.len()).find(|count| is_wrong(*count))?;
        tables.get(count - 1).map(|table| line_of(text, table.span().start))
    };
    first(&places.spans, &|count| parts(count, 0, 0))
        .or_else(|| first(&places.cables, &|count| parts(spans, count, 0)))
        .or_else(|| first(&places.faults, &|count| parts(spans, cables, count)))
        .filter(|_| faults == places.faults.len())
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
        let error =
            Description::from_toml("[[span]]\n[[fault]]\nkind = \"ais\"\n").expect_err("no span").to_string();
        assert!(error.contains("line 2") && error.contains("a ais fault needs `span`"), "{error}");
    }
}
