//! Figures beside their floors: pairs of rounds, their ratio, and the table that a bench prints. Judges nothing, since
//! machines differ.

/// One figure, round by round beside its floor, both in one unit.
pub struct Figure {
    what: String,
    unit: &'static str,
    rounds: Vec<(f64, f64)>,
}

impl Figure {
    /// A figure without rounds; printed so, it was not measured.
    pub fn new(what: &str, unit: &'static str) -> Self {
        Self { what: what.to_owned(), unit, rounds: vec![] }
    }

    /// One round.
    pub fn add(&mut self, floor: f64, measured: f64) {
        self.rounds.push((floor, measured));
    }
}

/// Prints smallest, median and largest of each figure, of its floor, and of the ratio of each round.
pub fn print(title: &str, figures: &[Figure]) {
    let width = figures.iter().map(|figure| figure.what.len()).max().unwrap_or(0).max(6);
    println!("{title}");
    println!("{:width$}  {:>4}  {:>26}  {:>26}  {:>20}", "", "", "floor", "measured", "ratio");
    let three = format!("{:>8} {:>8} {:>8}", "min", "median", "max");
    println!("{:width$}  {:>4}  {three}  {three}  {:>6} {:>6} {:>6}", "figure", "unit", "min", "median", "max");
    for Figure { what, unit, rounds } in figures {
        if rounds.is_empty() {
            println!("{what:width$}  {unit:>4}  not measured here");
            continue;
        }
        let floor = spread(rounds.iter().map(|(floor, _)| *floor), 8, 3);
        let measured = spread(rounds.iter().map(|(_, measured)| *measured), 8, 3);
        let ratio = spread(rounds.iter().map(|(floor, measured)| measured / floor), 6, 2);
        println!("{what:width$}  {unit:>4}  {floor}  {measured}  {ratio}");
    }
}

/// Smallest, median, largest, each so wide and with so many decimals.
fn spread(values: impl Iterator<Item = f64>, width: usize, decimals: usize) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let three = [values[0], values[values.len() / 2], values[values.len() - 1]];
    three.map(|value| format!("{value:width$.decimals$}")).join(" ")
}
