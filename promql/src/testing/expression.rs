//! A query as a tree that prints itself and can be made smaller.

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

    pub(super) fn part(mut self, part: Expression) -> Self {
        self.pieces.push(Piece::Part(part));
        self
    }

    /// Queries that are a little smaller, and may well mean something else.
    pub fn smaller(&self) -> Vec<Expression> {
        let mut found: Vec<Expression> =
            self.parts().filter(|part| part.kind == self.kind).cloned().collect();
        for (at, piece) in self.pieces.iter().enumerate() {
            let Piece::Part(part) = piece else { continue };
            for smaller in part.smaller() {
                let mut changed = self.clone();
                changed.pieces[at] = Piece::Part(smaller);
                found.push(changed);
            }
        }
        found
    }

    fn parts(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Part(part) => Some(part),
            Piece::Text(_) => None,
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Part(part) => fmt::Display::fmt(part, f)?,
            }
        }
        Ok(())
    }
}

/// The smallest query that can be reached from this one and still `fails`.
pub fn shrink(mut failing: Expression, fails: impl Fn(&Expression) -> bool) -> Expression {
    while let Some(smaller) = failing.smaller().into_iter().find(&fails) {
        failing = smaller;
    }
    failing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_made_as_small_as_it_goes() {
        let leaf = |name: &str| Expression::new(Kind::Vector).text(name);
        let rate = Expression::new(Kind::Vector).text("abs(").part(leaf("bad")).text(")");
        let sum = Expression::new(Kind::Vector).text("(").part(leaf("good")).text(" + ").part(rate).text(")");
        assert_eq!(sum.to_string(), "(good + abs(bad))");
        let smallest = shrink(sum, |query| query.to_string().contains("bad"));
        assert_eq!(smallest.to_string(), "bad");
    }
}
