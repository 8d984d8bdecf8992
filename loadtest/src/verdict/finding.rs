//! What a run found of a line of the table, and in what it was run otherwise than the table says.

use super::Must;

/// What was measured of one thing that must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// Of what.
    pub(crate) must: Must,
    /// How much, in the table's unit; none: this run does not show it.
    pub(crate) value: Option<f64>,
    /// Whether the run was easier than the table's.
    pub(crate) easier: bool,
    /// Where it was measured otherwise than the table says, or why it was not.
    pub(crate) note: String,
}

impl Finding {
    /// A measured value.
    pub(crate) fn new(must: Must, value: f64) -> Self {
        Self { must, value: Some(value), easier: false, note: String::new() }
    }

    /// Nothing that says whether it holds, and why not.
    pub(crate) fn not_shown(must: Must, why: impl Into<String>) -> Self {
        Self { must, value: None, easier: false, note: why.into() }
    }

    /// The same, measured on these terms.
    pub(crate) fn under(mut self, terms: &Terms) -> Self {
        self.easier = terms.easier;
        self.note = terms.said.join(", ");
        self
    }
}

/// In what a run differs from the table's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    easier: bool,
    said: Vec<String>,
}

impl Terms {
    /// It also differs in `what`, which makes it no easier.
    pub(crate) fn noted(mut self, what: impl Into<String>) -> Self {
        self.said.push(what.into());
        self
    }

    /// It also differs in `what`, which makes it easier.
    pub(crate) fn easier(mut self, what: impl Into<String>) -> Self {
        self.easier = true;
        self.noted(what)
    }

    /// It had `had` of something that the table has `table` of; with less of it, it was easier.
    pub(crate) fn needs(self, had: u64, table: u64, unit: &str) -> Self {
        if had < table { self.easier(format!("{had} of {table} {unit}")) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_easier_and_more_is_not() {
        let under = |terms: Terms| {
            let Finding { easier, note, .. } = Finding::new(Must::Crash, 0.0).under(&terms);
            (easier, note)
        };
        assert_eq!(under(Terms::default().needs(200, 200, "kills").needs(9, 8, "s")), (false, String::new()));
        let less = Terms::default().needs(10, 200, "kills").noted("slowly").needs(4, 32, "agents");
        assert_eq!(under(less), (true, "10 of 200 kills, slowly, 4 of 32 agents".to_owned()));
        assert_eq!(under(Terms::default().noted("away 60 s")), (false, "away 60 s".to_owned()));
    }
}
