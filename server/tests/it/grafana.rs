//! What Grafana is given: dashboards, alert rules, and the command that writes them.
//!
//! Dashboards are held to the rules that the field's linter has for those that ask a Prometheus (`lint`), each of
//! which a broken one must break (`broken`). Every expression must be read, name only series that there are, and have
//! data where a fleet runs (`expressions`), also the one that there is to look at (`demo`); every alert fires for whom it is meant and for nobody else (`rules`).

mod broken;
pub mod dashboards;
mod demo;
mod exported;
mod expressions;
mod fleet;
mod lint;
pub mod macros;
pub mod names;
pub mod rules;
mod scraped;
mod yaml;
