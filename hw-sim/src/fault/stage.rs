//! What the lines suffer in one stretch of time.

use super::Change;

/// Samples of a channel in a tick.
const SAMPLES: usize = 8;
/// The most samples that a clock's drift moves in one stretch.
const MAX_DRIFT: usize = 8;

/// Inverted bits of one octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hit {
    /// Which octet of the stretch.
    octet: usize,
    /// The timeslot; the channels' places begin with 1.
    place: u32,
    mask: u8,
}

#[derive(Clone, Debug, Default)]
struct SpanStage {
    hits: Vec<Hit>,
    /// What the receiver does to samples, and where.
    slips: Vec<(usize, Change)>,
    /// Where the span's own clock is a sample ahead (`Doubled`: it needs one more) or behind.
    drift: Vec<(usize, Change)>,
}

/// What the lines suffer from one tick to another, by the span that receives. Octets are counted from the first tick.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    from: u64,
    spans: Vec<SpanStage>,
}

impl Stage {
    /// Nothing, for so many spans, from a tick on.
    pub fn begin(&mut self, spans: usize, tick: u64) {
        self.from = tick;
        self.spans.resize_with(spans, SpanStage::default);
        for span in &mut self.spans {
            span.hits.clear();
            span.slips.clear();
            span.drift.clear();
        }
    }

    pub fn hit(&mut self, span: usize, octet: usize, place: u32, mask: u8) {
        if let Some(span) = self.spans.get_mut(span) {
            span.hits.push(Hit { octet, place, mask });
        }
    }

    pub fn slip(&mut self, span: usize, octet: usize, change: Change) {
        if let Some(span) = self.spans.get_mut(span) {
            span.slips.push((octet, change));
        }
    }

    pub fn drift(&mut self, span: usize, octet: usize, change: Change) {
        if let Some(span) = self.spans.get_mut(span).filter(|span| span.drift.len() < MAX_DRIFT) {
            span.drift.push((octet, change));
        }
    }

    /// How many samples a span's own clock asks for while the line carries `octets` from `tick` on.
    pub fn transmitted(&self, span: usize, tick: u64, octets: usize) -> usize {
        let Some(span) = self.spans.get(span) else { return octets };
        within(&span.drift, self.offset(tick), octets).fold(octets, |count, (_, change)| match change {
            Change::Doubled => count + 1,
            Change::Lost => count.saturating_sub(1),
        })
    }

    /// What a span transmitted at its own clock from `tick` on, as the line carries it: `octets` of them.
    pub fn to_line(&self, span: usize, tick: u64, sent: &mut [u8], octets: usize) {
        let Some(span) = self.spans.get(span).filter(|span| !span.drift.is_empty()) else { return };
        let mut line: Vec<u8> = sent[..].to_vec();
        for (at, change) in within(&span.drift, self.offset(tick), octets) {
            match change {
                // A fast clock gives a sample that the line has no place for.
                Change::Doubled => lose(&mut line, at),
                Change::Lost => double(&mut line, at),
            }
        }
        let size = octets.min(line.len()).min(sent.len());
        sent[..size].copy_from_slice(&line[..size]);
    }

    /// What a channel gets of what is on the line from `tick` on; `None` when that is just it.
    pub fn received(&self, span: usize, place: u32, tick: u64, line: &[u8]) -> Option<Vec<u8>> {
        let (span, offset) = (self.spans.get(span)?, self.offset(tick));
        let hit = |hit: &&Hit| hit.place == place && (offset..offset + line.len()).contains(&hit.octet);
        let mut hits = span.hits.iter().filter(hit).peekable();
        if hits.peek().is_none() && span.slips.is_empty() && span.drift.is_empty() {
            return None;
        }
        let mut octets = line.to_vec();
        for hit in hits {
            octets[hit.octet - offset] ^= hit.mask;
        }
        let slips = within(&span.slips, offset, line.len());
        for (at, change) in slips.chain(within(&span.drift, offset, line.len())) {
            match change {
                Change::Doubled => double(&mut octets, at),
                Change::Lost => lose(&mut octets, at),
            }
        }
        Some(octets)
    }

    fn offset(&self, tick: u64) -> usize {
        tick.saturating_sub(self.from) as usize * SAMPLES
    }
}

/// The slips among `octets` octets from `offset` on, counted from there.
fn within(
    slips: &[(usize, Change)],
    offset: usize,
    octets: usize,
) -> impl Iterator<Item = (usize, Change)> + use<'_> {
    let inside = move |(at, _): &&(usize, Change)| (offset..offset + octets).contains(at);
    slips.iter().filter(inside).map(move |(at, change)| (at - offset, *change))
}

fn lose(octets: &mut Vec<u8>, at: usize) {
    if !octets.is_empty() {
        octets.remove(at.min(octets.len() - 1));
    }
}

fn double(octets: &mut Vec<u8>, at: usize) {
    if let Some(octet) = octets.get(at.min(octets.len().saturating_sub(1))).copied() {
        octets.insert(at.min(octets.len() - 1), octet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_span_sends_and_hears_one_sample_more() {
        let mut stage = Stage::default();
        stage.begin(1, 5);
        stage.drift(0, 3, Change::Doubled);
        assert_eq!(stage.transmitted(0, 5, 8), 9);
        let mut sent = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        stage.to_line(0, 5, &mut sent, 8);
        assert_eq!(sent[..8], [0, 1, 2, 4, 5, 6, 7, 8], "sample 3 slipped");
        assert_eq!(stage.received(0, 1, 5, &[0, 1, 2, 3, 4]), Some(vec![0, 1, 2, 3, 3, 4]));
        assert_eq!(stage.received(1, 1, 5, &[0]), None, "another span");
    }

    #[test]
    fn a_slow_span_sends_and_hears_one_sample_less() {
        let mut stage = Stage::default();
        stage.begin(1, 5);
        stage.drift(0, 3, Change::Lost);
        assert_eq!(stage.transmitted(0, 5, 8), 7);
        let mut sent = [0, 1, 2, 3, 4, 5, 6, 9];
        stage.to_line(0, 5, &mut sent, 8);
        assert_eq!(sent[..4], [0, 1, 2, 3]);
        assert_eq!(sent[4], 3, "sample 3 twice");
        assert_eq!(stage.received(0, 1, 5, &[0, 1, 2, 3, 4]), Some(vec![0, 1, 2, 4]));
    }

    #[test]
    fn a_hit_changes_its_timeslot_alone() {
        let mut stage = Stage::default();
        stage.begin(1, 5);
        stage.hit(0, 2, 5, 0x81);
        assert_eq!(stage.received(0, 5, 5, &[0; 4]), Some(vec![0, 0, 0x81, 0]));
        assert_eq!(stage.received(0, 4, 5, &[0; 4]), None);
    }

    #[test]
    fn each_piece_has_its_part() {
        let mut stage = Stage::default();
        stage.begin(1, 10);
        stage.hit(0, 9, 1, 0xff);
        stage.slip(0, 17, Change::Lost);
        assert_eq!(stage.received(0, 1, 10, &[0; 8]), Some(vec![0; 8]));
        assert_eq!(stage.received(0, 1, 11, &[0; 8]), Some(vec![0, 0xff, 0, 0, 0, 0, 0, 0]));
        assert_eq!(stage.received(0, 1, 12, &[0, 1, 2, 3, 4, 5, 6, 7]), Some(vec![0, 2, 3, 4, 5, 6, 7]));
    }
}
