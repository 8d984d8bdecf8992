//! Functions of what series are called.

use crate::{
    eval::frame::Track,
    plan::{LabelJoin, LabelReplace},
};

/// `label_replace`: where the pattern matches a label, another is set; the rest stays as it is.
pub(in crate::eval) fn replace(replace: &LabelReplace, mut tracks: Vec<Track>) -> Vec<Track> {
    for track in &mut tracks {
        let value = track.labels.get(&replace.source);
        if let Some(new) = replace.pattern.replace(value, &replace.replacement) {
            track.labels = track.labels.with(&replace.target, &new);
        }
    }
    tracks
}

/// `label_join`: one label of the values of several.
pub(in crate::eval) fn join(join: &LabelJoin, mut tracks: Vec<Track>) -> Vec<Track> {
    for track in &mut tracks {
        let values: Vec<&str> = join.sources.iter().map(|source| track.labels.get(source)).collect();
        let joined = values.join(&join.separator);
        track.labels = track.labels.with(&join.target, &joined);
    }
    tracks
}
