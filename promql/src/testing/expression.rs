//! A query as a tree that prints itself and can be made smaller.

use super::shrink::Shrink;
use std::fmt;

/// What a part of a query evaluates to; only parts of one kind may stand in for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Vector,
}

/// A random query, or a part of one.
#[derive(Clone, Debug)]
pub struct Expression {
    kind: Kind,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// A text, and those that may stand in for it, the least first.
    Loose(String, Vec<String>),
    Part(Expression),
}

impl Expression {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, pieces: Vec::new() }
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.pieces.push(Piece::Text(text.into()));
        self
    }

    /// A text that may as well not be there: a modifier, matchers.
    pub(super) fn loose(self, text: impl Into<String>) -> Self {
        let text = text.into();
        let less = if text.is_empty() { Vec::new() } else { vec![String::new()] };
        self.one_of(text, less)
    }

    /// One of several words, for which those before it may stand in.
    pub(super) fn word(self, word: &str, of: &[&str]) -> Self {
        let less = of.iter().take_while(|other| **other != word).map(|other| (*other).to_owned());
        let less = less.collect();
        self.one_of(word.to_owned(), less)
    }

    fn one_of(mut self, text: String, less: Vec<String>) -> Self {
        self.pieces.push(Piece::Loose(text, less));
        self
    }

    pub(super) fn part(mut self, part: Expression) -> Self {
        self.pieces.push(Piece::Part(part));
        self
    }

    fn parts(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Part(part) => Some(part),
            _ => None,
        })
    }

    fn with(&self, at: usize, piece: Piece) -> Self {
        let mut changed = self.clone();
        changed.pieces[at] = piece;
        changed
    }
}

impl Shrink for Expression {
    /// First what is a part of it, then what has a smaller part, or a shorter word.
    fn smaller(&self) -> Vec<Self> {
        let mut found: Vec<Self> = self.parts().filter(|part| part.kind == self.kind).cloned().collect();
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(_) => {}
                Piece::Loose(_, less) => {
                    let shorter = less.iter().enumerate().map(|(place, text)| {
                        self.with(at, Piece::Loose(text.clone(), less[..place].to_vec()))
                    });
                    found.extend(shorter);
                }
                Piece::Part(part) => {
                    found.extend(part.smaller().into_iter().map(|part| self.with(at, Piece::Part(part))));
                }
            }
        }
        found
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) | Piece::Loose(text, _) => f.write_str(text)?,
                Piece::Part(part) => fmt::Display::fmt(part, f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Grammar, Random, shrink};

    fn leaf(name: &str) -> Expression {
        Expression::new(Kind::Vector).text(name)
    }

    #[test]
    fn what_fails_is_made_as_small_as_it_goes() {
        let rate = Expression::new(Kind::Vector).text("abs(").part(leaf("bad")).text(")");
        let sum = Expression::new(Kind::Vector).text("(").part(leaf("good")).text(" + ").part(rate).text(")");
        assert_eq!(sum.to_string(), "(good + abs(bad))");
        let smallest = shrink(sum, |query| query.to_string().contains("bad"));
        assert_eq!(smallest.to_string(), "bad");
    }

    #[test]
    fn modifiers_go_and_ranges_become_short() {
        let ranges = ["30s", "1m", "5m"];
        let window = leaf("rate(x").loose("{job=\"a\"}").text("[").word("5m", &ranges).text("]");
        let window = window.loose(" offset 1m").text(")");
        let smallest = |needed: &str| shrink(window.clone(), |query| query.to_string().contains(needed));
        assert_eq!(smallest("rate").to_string(), "rate(x[30s])");
        assert_eq!(smallest("offset").to_string(), "rate(x[30s] offset 1m)");
        assert_eq!(smallest("[1m").to_string(), "rate(x[1m])");
        assert_eq!(smallest("{").to_string(), "rate(x{job=\"a\"}[30s])");
    }

    #[test]
    fn whatever_the_grammar_makes_can_be_made_smaller_until_nothing_can() {
        let grammar = Grammar::of_random_series();
        for seed in 0..50 {
            let query = grammar.query(&mut Random::new(seed));
            let least = shrink(query, |_| true);
            assert!(least.smaller().is_empty(), "seed {seed}: {least}");
            assert!(least.parts().all(|part| part.kind != least.kind), "seed {seed}: {least}");
        }
    }
}
