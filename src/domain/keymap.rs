//! Which keys do what, where: the defaults of a table of actions with what people changed. Refuses a map in which some
//! keys could mean two things, and never learns what the actions are.

use crate::domain::chord::{Chord, Keys};

/// An action as the keymap needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bindable {
    /// As written in `keys.yaml`.
    pub name: &'static str,
    /// Where its keys count.
    pub places: Places,
    /// Its keys when nothing else is said.
    pub keys: &'static [&'static str],
    /// It may not be left without keys, as nobody could go on or leave.
    pub essential: bool,
}

/// Places where an action's keys count; up to sixteen, which ones is the table's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Places(u16);

impl Places {
    /// Every place.
    pub const EVERYWHERE: Self = Self(u16::MAX);

    /// Those whose bits are set.
    pub const fn of(bits: u16) -> Self {
        Self(bits)
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any is in both.
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What makes a keymap unusable. Actions are told by their index in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// The keys of two actions, in a place that they share, are the same or begin one another. The two may be one
    /// action, if it has keys that begin others of its own.
    Clash {
        /// The action that stands first in the table.
        one: usize,
        /// Its keys.
        keys: Keys,
        /// The other action.
        other: usize,
        /// The keys of that.
        others: Keys,
    },
    /// An essential action has no keys.
    Unreachable {
        /// The action.
        action: usize,
    },
    /// A mistake in the table: keys that cannot be read.
    Unreadable {
        /// The action.
        action: usize,
        /// Its keys as they stand there.
        keys: &'static str,
    },
}

/// What the chords typed so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// An action, by its index in the table.
    Action(usize),
    /// The first of two: wait for the second.
    Prefix,
    /// Nothing.
    Nothing,
}

/// Which keys do what, where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keymap {
    /// One for each action of the table.
    bound: Vec<Bound>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    places: Places,
    keys: Vec<Keys>,
}

impl Keymap {
    /// The table as it is. Errors: the first conflict in it, which is a mistake of whoever made the table.
    pub fn defaults(table: &[Bindable]) -> Result<Self, Conflict> {
        let first = |conflicts: Vec<Conflict>| conflicts.into_iter().next();
        // A refusal always has a conflict.
        Self::with(table, &[]).map_err(|all| first(all).unwrap_or(Conflict::Unreachable { action: 0 }))
    }

    /// The table with other keys for some actions, each by its index; no keys at all unbind it. Errors: every conflict.
    pub fn with(table: &[Bindable], overrides: &[(usize, Vec<Keys>)]) -> Result<Self, Vec<Conflict>> {
        let mut conflicts = vec![];
        let mut bound = vec![];
        for (action, bindable) in table.iter().enumerate() {
            let keys = match overrides.iter().rfind(|(of, _)| *of == action) {
                Some((_, keys)) => keys.clone(),
                None => defaults_of(action, bindable, &mut conflicts),
            };
            if keys.is_empty() && bindable.essential {
                conflicts.push(Conflict::Unreachable { action });
            }
            bound.push(Bound { places: bindable.places, keys });
        }
        let map = Self { bound };
        map.clashes(&mut conflicts);
        if conflicts.is_empty() { Ok(map) } else { Err(conflicts) }
    }

    fn clashes(&self, conflicts: &mut Vec<Conflict>) {
        let all = || {
            self.bound.iter().enumerate().flat_map(|(at, bound)| bound.keys.iter().map(move |keys| (at, bound, keys)))
        };
        for (place, (one, bound, keys)) in all().enumerate() {
            for (other, other_bound, others) in all().skip(place + 1) {
                // The same keys twice for one action do no harm.
                let harmless = one == other && keys == others;
                if !harmless && bound.places.overlaps(other_bound.places) && keys.clashes_with(others) {
                    conflicts.push(Conflict::Clash { one, keys: *keys, other, others: *others });
                }
            }
        }
    }

    /// What the chords typed so far mean at a place, or at several at once.
    pub fn lookup(&self, place: Places, typed: &[Chord]) -> Lookup {
        let mut found = Lookup::Nothing;
        for (action, bound) in self.bound.iter().enumerate().filter(|(_, bound)| bound.places.overlaps(place)) {
            for keys in bound.keys.iter().filter(|keys| keys.begins_with(typed)) {
                if keys.chords().count() == typed.len() {
                    return Lookup::Action(action);
                }
                found = Lookup::Prefix;
            }
        }
        found
    }

    /// The keys of an action, the one to show first; none where it is unbound.
    pub fn keys(&self, action: usize) -> &[Keys] {
        self.bound.get(action).map(|bound| bound.keys.as_slice()).unwrap_or_default()
    }
}

fn defaults_of(action: usize, bindable: &Bindable, conflicts: &mut Vec<Conflict>) -> Vec<Keys> {
    let read = |keys: &&'static str| {
        let parsed = keys.parse().ok();
        if parsed.is_none() {
            conflicts.push(Conflict::Unreadable { action, keys });
        }
        parsed
    };
    bindable.keys.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Places = Places::of(1);
    const LOG: Places = Places::of(2);

    const fn action(name: &'static str, places: Places, keys: &'static [&'static str]) -> Bindable {
        Bindable { name, places, keys, essential: false }
    }

    const TABLE: [Bindable; 5] = [
        Bindable { essential: true, ..action("quit", Places::EVERYWHERE, &["q"]) },
        action("mark", LIST, &["Space", "m"]),
        action("start", LIST, &["S"]),
        action("follow", LOG, &["f"]),
        action("next-error", LOG, &["]e"]),
    ];

    fn keys(text: &str) -> Keys {
        text.parse().unwrap()
    }

    #[test]
    fn chords_lead_to_actions() {
        let map = Keymap::with(&TABLE, &[(2, vec![keys("f")]), (1, vec![])]).unwrap();
        let check = |place: Places, text: &str, expected: Lookup| {
            let typed: Vec<Chord> = if text.is_empty() { vec![] } else { keys(text).chords().collect() };
            assert_eq!(map.lookup(place, &typed), expected, "{text}");
        };
        check(LIST, "q", Lookup::Action(0));
        check(LOG, "q", Lookup::Action(0));
        check(LIST, "f", Lookup::Action(2));
        check(LOG, "f", Lookup::Action(3));
        check(LOG, "]", Lookup::Prefix);
        check(LOG, "]e", Lookup::Action(4));
        check(LOG, "]q", Lookup::Nothing);
        check(LIST, "]", Lookup::Nothing);
        check(LIST, "Space", Lookup::Nothing);
        check(LIST, "S", Lookup::Nothing);
        check(LOG, "", Lookup::Prefix);
        assert_eq!((map.keys(1), map.keys(2), map.keys(99)), (&[][..], &[keys("f")][..], &[][..]));
        let defaults = Keymap::defaults(&TABLE).unwrap();
        assert_eq!(defaults.keys(1), [keys("Space"), keys("m")]);
    }

    #[test]
    fn keys_that_could_mean_two_things_are_refused() {
        let check = |overrides: &[(usize, &[&str])], expected: &[(usize, &str, usize, &str)]| {
            let overrides: Vec<(usize, Vec<Keys>)> =
                overrides.iter().map(|(of, all)| (*of, all.iter().map(|text| keys(text)).collect())).collect();
            let expected: Vec<Conflict> = expected
                .iter()
                .map(|(one, a, other, b)| Conflict::Clash { one: *one, keys: keys(a), other: *other, others: keys(b) })
                .collect();
            let found = Keymap::with(&TABLE, &overrides).map(|_| ()).err().unwrap_or_default();
            assert_eq!(found, expected, "{overrides:?}");
        };
        check(&[], &[]);
        check(&[(3, &["q"])], &[(0, "q", 3, "q")]);
        check(&[(0, &["]"])], &[(0, "]", 4, "]e")]);
        check(&[(1, &["S", "qq"])], &[(0, "q", 1, "qq"), (1, "S", 2, "S")]);
        // In places of their own they may share.
        check(&[(1, &["f"]), (2, &["]e"])], &[]);
        check(&[(1, &["g", "gg"])], &[(1, "g", 1, "gg")]);
        check(&[(1, &["g", "g"])], &[]);
        // Exchanged.
        check(&[(3, &["]e"]), (4, &["f"])], &[]);
    }

    #[test]
    fn what_is_essential_keeps_keys_and_tables_are_checked() {
        let check = |table: &[Bindable], overrides: &[(usize, Vec<Keys>)], expected: Conflict| {
            assert_eq!(Keymap::with(table, overrides), Err(vec![expected.clone()]));
            if overrides.is_empty() {
                assert_eq!(Keymap::defaults(table), Err(expected));
            }
        };
        check(&TABLE, &[(0, vec![])], Conflict::Unreachable { action: 0 });
        let table = [TABLE[0], action("x", LIST, &["x", "ctlr-x"])];
        check(&table, &[], Conflict::Unreadable { action: 1, keys: "ctlr-x" });
        let table = [TABLE[0], action("x", LIST, &["qx"])];
        check(&table, &[], Conflict::Clash { one: 0, keys: keys("q"), other: 1, others: keys("qx") });
    }
}
