//! What there is: `labels`, `label/{name}/values` and `series`, of the time that is asked about.

use super::{
    Asked, ask, complaint, escape,
    write::{self, Notes},
};
use crate::{
    http::envelope::Complaint,
    prometheus::{Prometheus, Source, limits},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use pingup_promql::{Error, Matcher};
use std::sync::Arc;

/// Which series are looked at.
struct Scope {
    selectors: Vec<Vec<Matcher>>,
    first_ms: i64,
    last_ms: i64,
    limit: Option<usize>,
}

impl Scope {
    fn new(asked: &Asked) -> Result<Self, Complaint> {
        let (first_ms, last_ms) = asked.stretch()?;
        Ok(Self { selectors: asked.selectors()?, first_ms, last_ms, limit: asked.limit()? })
    }

    /// Answers with the names that `find` finds.
    async fn names(
        self,
        room: &Prometheus,
        gzip: bool,
        find: impl FnOnce(&Source, &Self) -> Result<Vec<Arc<str>>, Error> + Send + 'static,
    ) -> Result<Response, Complaint> {
        ask(room, gzip, move |source, _, out| {
            let mut names = find(source, &self).map_err(|error| complaint(&error))?;
            let mut notes = Notes::default();
            write::truncate(&mut names, self.limit, &mut notes);
            write::success(out, &notes, |out| write::names(out, &names))
        })
        .await
    }
}

/// `GET` and `POST /prometheus/api/v1/labels`: their names, sorted.
pub async fn labels(State(room): State<Arc<Prometheus>>, asked: Asked) -> Result<Response, Complaint> {
    let find =
        |source: &Source, scope: &Scope| source.label_names(&scope.selectors, scope.first_ms, scope.last_ms);
    Scope::new(&asked)?.names(&room, asked.gzip, find).await
}

/// `GET /prometheus/api/v1/label/{name}/values`: sorted; none for a label that nothing has.
pub async fn label_values(
    State(room): State<Arc<Prometheus>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, Complaint> {
    let name = escape::unescape(&name);
    if name.is_empty() {
        return Err(Complaint::bad_data("invalid label name: \"\""));
    }
    let find = move |source: &Source, scope: &Scope| {
        source.label_values(&name, &scope.selectors, scope.first_ms, scope.last_ms)
    };
    Scope::new(&asked)?.names(&room, asked.gzip, find).await
}

/// `GET` and `POST /prometheus/api/v1/series`: the labels of each.
pub async fn series(State(room): State<Arc<Prometheus>>, asked: Asked) -> Result<Response, Complaint> {
    let scope = Scope::new(&asked)?;
    if scope.selectors.is_empty() {
        return Err(Complaint::bad_data("no match[] parameter provided"));
    }
    // One more than is told, to know whether there is more.
    let most = usize::try_from(limits().series).unwrap_or(usize::MAX);
    let wanted = scope.limit.map_or(most, |limit| limit.min(most)) + 1;
    ask(&room, asked.gzip, move |source, _, out| {
        let found = source.series(&scope.selectors, scope.first_ms, scope.last_ms, wanted);
        let found = found.map_err(|error| complaint(&error))?;
        if found.how_many() > most {
            let text = format!("more than {most} series: ask for fewer, or with a limit");
            return Err(Complaint::execution(text));
        }
        let mut notes = Notes::default();
        let told = write::excess(found.how_many(), scope.limit, &mut notes).unwrap_or(most);
        write::success(out, &notes, |out| write::label_sets(out, found.in_order().take(told)))
    })
    .await
}
