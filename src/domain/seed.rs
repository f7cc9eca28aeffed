//! Seeds, jitter and shuffles: hashed from what they are for, never drawn from a running stream.
//!
//! Adding or leaving out a point therefore changes no other point's seed. The random numbers are `ChaCha8`'s
//! `next_u64` with our own range and shuffle, pinned by test vectors, because libraries have changed theirs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// A seed that fits every tool and shell: 1 to 2^31-1.
pub type Seed = u32;

/// What a step's seed is for. Empty texts stand for a sub-run's own.
#[derive(Debug, Clone, Copy)]
pub struct SeedPurpose<'a> {
    /// The sweep's seed.
    pub global: Seed,
    /// The point's key: grid values in name order, or the recipe's name.
    pub point: &'a str,
    /// The step's name.
    pub step: &'a str,
    /// The combination's key, `pattern=checkerboard,size_mb=16`.
    pub combination: &'a str,
    /// The repetition, from 0; `None` for a sub-run's own seed.
    pub repetition: Option<u32>,
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update([0]);
        }
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

impl SeedPurpose<'_> {
    /// The first four bytes of SHA-256 over `rr-seed-1` and the parts, joined by NUL, top bit cleared, zero as one.
    pub fn seed(&self) -> Seed {
        let global = self.global.to_string();
        let repetition = self.repetition.map(|r| r.to_string()).unwrap_or_default();
        let hash = digest(&["rr-seed-1", &global, self.point, self.step, self.combination, &repetition]);
        let word = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) & 0x7fff_ffff;
        word.max(1)
    }
}

/// A stream of its own for one purpose.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream for `purpose` under the sweep's seed; `parts` tell it from others of the same purpose.
    pub fn new(purpose: &str, global: Seed, parts: &[&str]) -> Self {
        let global = global.to_string();
        let mut all = vec![purpose, &global];
        all.extend_from_slice(parts);
        Self(ChaCha8Rng::from_seed(digest(&all)))
    }

    /// Uniform below `bound` (at least 1), without modulo bias: the draw is repeated in the incomplete last stretch.
    pub fn below(&mut self, bound: u64) -> u64 {
        let bound = bound.max(1);
        let usable = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let draw = self.0.next_u64();
            if draw <= usable {
                return draw % bound;
            }
        }
    }

    /// Fisher and Yates, from the last place down.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
}

/// The offset of a jittered field at one point: a whole number of `step`s, uniform within plus or minus `max`.
pub fn jitter(global: Seed, point: &str, field: &str, max: u64, step: u64) -> i64 {
    let step = step.max(1);
    let steps = max / step;
    let draw = Stream::new("rr-jitter-1", global, &[point, field]).below(2 * steps + 1);
    let signed = i64::try_from(draw).unwrap_or(0) - i64::try_from(steps).unwrap_or(0);
    signed * i64::try_from(step).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pinned_seeds() {
        let check = |point: &str, step: &str, combination: &str, repetition, seed: Seed| {
            let purpose = SeedPurpose { global: 20_250_101, point, step, combination, repetition };
            assert_eq!(purpose.seed(), seed, "{point} {step} {combination} {repetition:?}");
        };
        let point = "core.frequency=3200000,core.voltage=850000";
        check(point, "cpu-smoke", "", Some(0), 1_288_282_822);
        check(point, "cpu-smoke", "", Some(1), 1_816_595_171);
        check(point, "mem-pattern", "pattern=checkerboard,size_mb=16", Some(0), 853_820_697);
        check(point, "", "", None, 2_130_569_835);
        check("hot", "", "", None, 1_251_744_797);
    }

    #[test]
    fn pinned_draws() {
        let mut stream = Stream::new("rr-shuffle-1", 7, &[]);
        let draws: Vec<u64> = (0..6).map(|_| stream.below(1000)).collect();
        assert_eq!(draws, [167, 418, 100, 644, 860, 277]);
        let mut items: Vec<u32> = (0..10).collect();
        Stream::new("rr-shuffle-1", 7, &[]).shuffle(&mut items);
        assert_eq!(items, [5, 3, 1, 0, 2, 6, 8, 4, 9, 7]);
        let offsets: Vec<i64> = (0..5).map(|p| jitter(7, &format!("p{p}"), "core.voltage", 2000, 1000)).collect();
        assert_eq!(offsets, [2000, 0, -1000, 1000, 2000]);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_band_and_on_its_grid(global in 1_u32..0x7fff_ffff, max in 0_u64..5000, step in 1_u64..700, point in "[a-z]{1,8}") {
            let offset = jitter(global, &point, "core.voltage", max, step);
            prop_assert!(offset.unsigned_abs() <= max);
            prop_assert_eq!(offset.unsigned_abs() % step, 0);
        }

        #[test]
        fn seeds_fit_every_tool(global in 1_u32..0x7fff_ffff, point in ".{0,20}", repetition in 0_u32..9) {
            let seed = SeedPurpose { global, point: &point, step: "s", combination: "", repetition: Some(repetition) }.seed();
            prop_assert!((1..=0x7fff_ffff).contains(&seed));
        }
    }
}
