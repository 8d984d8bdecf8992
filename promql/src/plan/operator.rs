//! Operators and aggregations: which they are, and whether their sides fit.

use super::{
    Aggregate, Aggregation, Arithmetic, Binary, Comparison, Group, Grouping, Kind, Matching, Node, Operation,
    SetOperation,
    compile::{Compiler, Part, bare, refused},
};
use crate::error::Error;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Expr, LabelModifier, VectorMatchCardinality, token::*,
};

impl Compiler<'_> {
    pub(super) fn binary(&mut self, binary: &BinaryExpr) -> Result<Part, Error> {
        let (left, right) = (self.node(&binary.lhs)?, self.node(&binary.rhs)?);
        if ![left.kind, right.kind].iter().all(|kind| matches!(kind, Kind::Scalar | Kind::Vector)) {
            return Err(refused("binary expression must contain only scalar and instant vector types"));
        }
        let operation = operation(binary)?;
        let scalars = (left.kind == Kind::Scalar, right.kind == Kind::Scalar);
        match operation {
            Operation::Comparison { as_bool: false, .. } if scalars == (true, true) => {
                return Err(refused("comparisons between scalars must use BOOL modifier"));
            }
            Operation::Set(_) if scalars != (false, false) => {
                let shown = binary.op;
                return Err(refused(format_args!(
                    "set operator {:?} not allowed in binary scalar expression",
                    shown.to_string()
                )));
            }
            _ => {}
        }
        let kind = if scalars == (true, true) { Kind::Scalar } else { Kind::Vector };
        let rounds = left.rounds.max(right.rounds);
        let matching = matching(binary)?;
        let node = Binary { left: left.node, right: right.node, operation, matching };
        Ok(Part::new(Node::Binary(Box::new(node)), kind, rounds))
    }

    pub(super) fn aggregate(&mut self, aggregate: &AggregateExpr) -> Result<Part, Error> {
        let mut rounds = 0;
        let mut scalar = |compiler: &mut Self| match &aggregate.param {
            Some(expr) => {
                let part = compiler.node(expr)?.expect(Kind::Scalar, "aggregation parameter")?;
                rounds = part.rounds;
                Ok(part.node)
            }
            None => Err(refused(format_args!("{} needs a parameter", aggregate.op))),
        };
        let operation = match aggregate.op.id() {
            T_AVG => Aggregation::Avg,
            T_COUNT => Aggregation::Count,
            T_GROUP => Aggregation::Group,
            T_MAX => Aggregation::Max,
            T_MIN => Aggregation::Min,
            T_STDDEV => Aggregation::Stddev,
            T_STDVAR => Aggregation::Stdvar,
            T_SUM => Aggregation::Sum,
            T_QUANTILE => Aggregation::Quantile(scalar(self)?),
            T_TOPK => Aggregation::Top { count: scalar(self)?, largest: true },
            T_BOTTOMK => Aggregation::Top { count: scalar(self)?, largest: false },
            T_COUNT_VALUES => Aggregation::CountValues { label: text_parameter(aggregate)? },
            _ => {
                return Err(refused(format_args!(
                    "{} is experimental, and not evaluated here",
                    aggregate.op
                )));
            }
        };
        let of = self.node(&aggregate.expr)?.expect(Kind::Vector, "aggregation expression")?;
        let rounds = rounds.max(of.rounds);
        let by = match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => Grouping::Only(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
            None => Grouping::Only(Vec::new()),
        };
        let node = Aggregate { of: of.node, by, operation };
        Ok(Part::new(Node::Aggregate(Box::new(node)), Kind::Vector, rounds))
    }
}

fn text_parameter(aggregate: &AggregateExpr) -> Result<String, Error> {
    match aggregate.param.as_deref().map(bare) {
        Some(Expr::StringLiteral(text)) if text.val.is_empty() => {
            Err(Error::execution("invalid label name \"\""))
        }
        Some(Expr::StringLiteral(text)) => Ok(text.val.clone()),
        _ => Err(refused("expected type string in aggregation parameter")),
    }
}

fn operation(binary: &BinaryExpr) -> Result<Operation, Error> {
    let as_bool = binary.return_bool();
    let compare = |which| Operation::Comparison { which, as_bool };
    let operation = match binary.op.id() {
        T_ADD => Operation::Arithmetic(Arithmetic::Add),
        T_SUB => Operation::Arithmetic(Arithmetic::Subtract),
        T_MUL => Operation::Arithmetic(Arithmetic::Multiply),
        T_DIV => Operation::Arithmetic(Arithmetic::Divide),
        T_MOD => Operation::Arithmetic(Arithmetic::Modulo),
        T_POW => Operation::Arithmetic(Arithmetic::Power),
        T_ATAN2 => Operation::Arithmetic(Arithmetic::Atan2),
        T_EQLC => compare(Comparison::Equal),
        T_NEQ => compare(Comparison::NotEqual),
        T_LSS => compare(Comparison::Less),
        T_LTE => compare(Comparison::LessOrEqual),
        T_GTR => compare(Comparison::Greater),
        T_GTE => compare(Comparison::GreaterOrEqual),
        T_LAND => Operation::Set(SetOperation::And),
        T_LOR => Operation::Set(SetOperation::Or),
        T_LUNLESS => Operation::Set(SetOperation::Unless),
        _ => return Err(refused(format_args!("operator {} is not evaluated here", binary.op))),
    };
    if as_bool && !matches!(operation, Operation::Comparison { .. }) {
        return Err(refused("bool modifier can only be used on comparison operators"));
    }
    Ok(operation)
}

fn matching(binary: &BinaryExpr) -> Result<Matching, Error> {
    let Some(modifier) = &binary.modifier else {
        return Ok(Matching { by: Grouping::Without(Vec::new()), group: Group::OneToOne });
    };
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err(refused("fill modifiers are experimental, and not evaluated here"));
    }
    let by = match &modifier.matching {
        Some(LabelModifier::Include(labels)) => Grouping::Only(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
        None => Grouping::Without(Vec::new()),
    };
    let group = match &modifier.card {
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => Group::OneToOne,
        VectorMatchCardinality::ManyToOne(labels) => Group::ManyLeft(labels.labels.clone()),
        VectorMatchCardinality::OneToMany(labels) => Group::ManyRight(labels.labels.clone()),
    };
    Ok(Matching { by, group })
}
