//! The results: medians of alternating runs, and their ratios.
use crate::meter::Cost;

/// All runs of one contender in one case.
pub(crate) struct Series {
    pub(crate) contender: &'static str,
    pub(crate) runs: Vec<Cost>,
    /// More that is worth saying, as a rate or a percentile.
    pub(crate) note: String,
}

/// One case, with all who took part. The first is Whimbrel.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) series: Vec<Series>,
}

/// The middle one of an odd number, the mean of the middle two of an even one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The value below which `share` of them are (nearest rank).
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

impl Series {
    fn of(&self, what: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.runs.iter().map(what).collect()
    }

    fn wall(&self) -> f64 {
        median(&self.of(|cost| cost.wall))
    }

    fn row(&self, ours: f64) -> String {
        let walls = self.of(|cost| cost.wall);
        let (least, most) =
            walls.iter().fold((f64::MAX, f64::MIN), |(a, b), w| (a.min(*w), b.max(*w)));
        let memory = self.runs.iter().map(|cost| cost.memory).max().unwrap_or(0);
        format!(
            "| {} | {:.2} | {least:.2}–{most:.2} | {:.2} | {:.1} | {:.1} | {:.1} | {:.0} | {} |",
            self.contender,
            self.wall(),
            ours / self.wall(),
            median(&self.of(|cost| cost.tool)),
            median(&self.of(|cost| cost.servers[0])),
            median(&self.of(|cost| cost.servers[1])),
            memory as f64 / 1e6,
            self.note
        )
    }
}

impl Case {
    /// As a table in Markdown. `ratio` is Whimbrel's median by the contender's: below 1 we are faster.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("### {}\n\n{}\n\n", self.name, self.about);
        text += "| | median s | min–max s | ratio | tool CPU s | source CPU s | target CPU s | peak MB | |\n";
        text += "|---|---|---|---|---|---|---|---|---|\n";
        let ours = self.series.first().map_or(f64::NAN, Series::wall);
        for series in &self.series {
            text += &series.row(ours);
            text.push('\n');
        }
        text
    }
}
