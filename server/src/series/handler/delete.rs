//! `delete_series`, as Prometheus has it: an operator takes out series that others wrote.
//!
//! Beyond Prometheus, `sender` names whose. A stretch of time is refused: series go whole, and to pass over what was asked
//! would delete more than was meant.

use crate::{
    auth::PlainBody,
    deed::By,
    http::{envelope::Complaint, form::Form},
    series::{Series, Which},
};
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use pingup_promql::parse_selector;
use std::sync::Arc;

/// Selectors of one request.
const SELECTORS_MAX: usize = 64;

/// `POST /prometheus/api/v1/admin/tsdb/delete_series`: 204 once they are gone, also if there were none.
pub async fn delete(
    State(series): State<Arc<Series>>,
    by: By,
    RawQuery(query): RawQuery,
    body: PlainBody,
) -> Result<Response, Complaint> {
    let form = Form::read(&body.0, query.unwrap_or_default().as_bytes())
        .map_err(|error| Complaint::bad_data(format!("error parsing form values: {error}")))?;
    series.delete(which(&form)?, by).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn which(form: &Form) -> Result<Which, Complaint> {
    if ["start", "end"].into_iter().any(|name| form.text(name).is_some()) {
        return Err(Complaint::bad_data("series are deleted whole: leave start and end out"));
    }
    let mut which = Which { selectors: Vec::new(), sender: form.text("sender").map(str::to_owned) };
    for text in form.all("match[]") {
        if which.selectors.len() == SELECTORS_MAX {
            return Err(Complaint::parameter("match[]", &format_args!("more than {SELECTORS_MAX}")));
        }
        let selector = parse_selector(text).map_err(|error| Complaint::parameter("match[]", &error))?;
        which.selectors.push(selector);
    }
    match which.selectors.is_empty() && which.sender.is_none() {
        true => Err(Complaint::bad_data("no match[] parameter provided, and no sender")),
        false => Ok(which),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::envelope::ErrorType;

    fn read(query: &str) -> Result<Which, String> {
        which(&Form::read(b"", query.as_bytes()).unwrap()).map_err(|complaint| match complaint {
            Complaint::Error(ErrorType::BadData, text) => text,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn what_is_meant_has_to_be_said() {
        let both = read("match[]=up&match[]=%7Ba%3D%22b%22%7D&sender=ada").unwrap();
        assert_eq!((both.selectors.len(), both.sender.as_deref()), (2, Some("ada")));
        assert_eq!(read("sender=ada").unwrap().selectors.len(), 0);
        for (query, said) in [
            ("", "no match[] parameter provided"),
            ("sender=", "no match[] parameter provided"),
            ("match[]=up&start=1", "series are deleted whole"),
            ("sender=ada&end=1", "series are deleted whole"),
            ("match[]=%7B%7D", "invalid parameter \"match[]\""),
        ] {
            let heard = read(query).unwrap_err();
            assert!(heard.starts_with(said), "{query}: {heard}");
        }
        let many = |count| vec!["match[]=up"; count].join("&");
        assert!(read(&many(SELECTORS_MAX)).is_ok());
        assert!(read(&many(SELECTORS_MAX + 1)).unwrap_err().contains("more than 64"));
    }
}
