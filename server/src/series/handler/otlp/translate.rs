//! From OTLP's points to series: what measures becomes `job` and `instance`, the rest of what is known of it labels
//! `target_info`, attributes become labels, and a histogram becomes its buckets, its sum and its count.

use super::{
    super::{
        brought::Brought,
        outcome::{Unfit, told},
    },
    attributes::{Pairs, pairs, put, words},
    decode::CUMULATIVE,
    message::{Attribute, Metric, Points, Request, ResourceMetrics},
    names::{self, Ending, SAID_BYTES_MAX},
    sampled::{Sampled, Why},
};
use crate::series::{
    Incoming, LabelError, Labels, MetricKind, Point,
    labels::{self, METRIC_NAME},
};

/// The metric that tells what is known of a resource.
const TARGET_INFO: &str = "target_info";
const SERVICE: &str = "service.name";
const NAMESPACE: &str = "service.namespace";
const INSTANCE: &str = "service.instance.id";
const IDENTITY: [&str; 3] = [SERVICE, NAMESPACE, INSTANCE];
const NANOS_PER_MS: u64 = 1_000_000;

/// Translates a request, and counts the points that are kept.
pub(super) fn translate(request: Request<'_>, brought: &mut Brought) -> Result<usize, Unfit> {
    let mut kept = 0;
    brought.begin();
    for resource in &request.resource_metrics {
        let mut target = Target::of(resource, brought);
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            target.metric(metric)?;
        }
        kept += target.finish()?;
    }
    Ok(kept)
}

/// What names what measures, as `job` and `instance`.
fn identity(attributes: &[Attribute<'_>]) -> Result<Pairs, LabelError> {
    let (mut name, mut namespace, mut identity) = (String::new(), String::new(), Pairs::new());
    for Attribute { key, value } in attributes {
        match &**key {
            SERVICE => name = words(key, value)?,
            NAMESPACE => namespace = words(key, value)?,
            INSTANCE => put(&mut identity, "instance", words(key, value)?),
            _ => {}
        }
    }
    if !name.is_empty() {
        let job = if namespace.is_empty() { name } else { format!("{namespace}/{name}") };
        put(&mut identity, "job", job);
    }
    Ok(identity)
}

/// What measures, and what it brought so far.
struct Target<'b> {
    brought: &'b mut Brought,
    /// `job` and `instance`, as far as they are known.
    identity: Result<Pairs, LabelError>,
    /// What else is known of it.
    info: Result<Pairs, LabelError>,
    newest_ms: Option<i64>,
    kept: usize,
}

impl<'b> Target<'b> {
    fn of(resource: &ResourceMetrics<'_>, brought: &'b mut Brought) -> Self {
        let attributes = &resource.resource.attributes;
        let others = attributes.iter().filter(|one| !IDENTITY.contains(&&*one.key));
        Self { brought, identity: identity(attributes), info: pairs(others), newest_ms: None, kept: 0 }
    }

    fn metric(&mut self, metric: &Metric<'_>) -> Result<(), Unfit> {
        if let Some(gauge) = &metric.gauge {
            self.points(metric, Ending::Ratio, MetricKind::Gauge, &gauge.data_points)?;
        }
        if let Some(sum) = metric.sum.as_ref().filter(|sum| self.is_cumulative(metric, sum)) {
            let (ending, kind) = match sum.is_monotonic {
                true => (Ending::Total, MetricKind::Counter),
                false => (Ending::Plain, MetricKind::Gauge),
            };
            self.points(metric, ending, kind, &sum.data_points)?;
        }
        if let Some(histogram) = metric.histogram.as_ref().filter(|points| self.is_cumulative(metric, points))
        {
            self.points(metric, Ending::Plain, MetricKind::Histogram, &histogram.data_points)?;
        }
        if let Some(summary) = &metric.summary {
            self.points(metric, Ending::Plain, MetricKind::Summary, &summary.data_points)?;
        }
        if let Some(exponential) = &metric.exponential_histogram {
            self.brought.refused.add(exponential.data_points.len(), || {
                let name = told(&metric.name);
                format!("{name}: exponential histograms are not stored here; have explicit buckets made")
            });
        }
        Ok(())
    }

    /// Whether numbers add up from a start; else all of them are left out.
    fn is_cumulative<P>(&mut self, metric: &Metric<'_>, points: &Points<P>) -> bool {
        let is = points.aggregation_temporality.0 == CUMULATIVE;
        if !is {
            self.brought.refused.add(points.data_points.len(), || {
                format!("{}: delta temporality is not stored here; send cumulative", told(&metric.name))
            });
        }
        is
    }

    fn points<P: Sampled>(
        &mut self,
        metric: &Metric<'_>,
        ending: Ending,
        kind: MetricKind,
        points: &[P],
    ) -> Result<(), Unfit> {
        if let Some(long) = [&metric.name, &metric.unit].into_iter().find(|said| said.len() > SAID_BYTES_MAX)
        {
            let why = || LabelError::LongName(labels::told(long), long.len()).to_string();
            self.brought.refused.add(points.len(), why);
            return Ok(());
        }
        let Some(name) = names::metric(&metric.name, &metric.unit, ending) else {
            self.brought
                .refused
                .add(points.len(), || format!("{:?} is no name of a metric", told(&metric.name)));
            return Ok(());
        };
        for point in points {
            match self.point(&name, point) {
                Ok(()) => {
                    self.kept += 1;
                    self.brought.make_room()?;
                }
                Err(Why::Unfit(unfit)) => return Err(unfit),
                Err(why) => self.brought.refused.add(1, || format!("{}: {}", told(&name), why.text())),
            }
        }
        self.brought.describe(&name, kind, &metric.description, &names::unit(&metric.unit))
    }

    /// Keeps all series of a point together, or none.
    fn point<P: Sampled>(&mut self, name: &str, point: &P) -> Result<(), Why> {
        let nanos = point.nanos();
        // What a clock of 64 bits tells in nanoseconds fits a signed one in milliseconds.
        let at_ms = i64::try_from(nanos / NANOS_PER_MS).ok().filter(|_| nanos != 0).ok_or(Why::NoTime)?;
        let samples = point.samples()?;
        let own = pairs(point.attributes())?;
        let mut found = Vec::with_capacity(samples.len());
        for (suffix, further, value) in samples {
            let labels = self.labels(format!("{name}{suffix}"), &own, further)?;
            found.push(Incoming { labels, points: vec![Point { at_ms, value }] });
        }
        self.brought.keep_together(found).map_err(Why::Unfit)?;
        self.newest_ms = self.newest_ms.max(Some(at_ms));
        Ok(())
    }

    /// A series' labels. What measures and what the series is come before attributes of the same name. They are counted
    /// before they are copied.
    fn labels(&mut self, name: String, own: &Pairs, further: Option<(&str, String)>) -> Result<Labels, Why> {
        let identity = self.identity.as_ref().map_err(LabelError::clone)?;
        let mut first: Pairs = further.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        first.insert(METRIC_NAME.to_owned(), name);
        for (name, value) in own.iter().chain(identity).chain(&first) {
            let room = self.brought.take_text(name).and_then(|()| self.brought.take_text(value));
            room.map_err(|error| Why::Unfit(error.into()))?;
        }
        let mut pairs = own.clone();
        pairs.extend(identity.clone());
        pairs.extend(first);
        Ok(Labels::new(pairs.into_iter().collect())?)
    }

    /// Tells what is known of what measured, at its newest point.
    fn finish(mut self) -> Result<usize, Unfit> {
        let is_named = self.identity.as_ref().is_ok_and(|identity| !identity.is_empty());
        let is_known = self.info.as_ref().map_or(true, |info| !info.is_empty());
        let Some(at_ms) = self.newest_ms.filter(|_| is_named && is_known) else { return Ok(self.kept) };
        let info = std::mem::replace(&mut self.info, Ok(Pairs::new()));
        let labels = match info {
            Ok(info) => self.labels(TARGET_INFO.to_owned(), &info, None),
            Err(error) => Err(error.into()),
        };
        match labels {
            Ok(labels) => self.brought.keep(labels, vec![Point { at_ms, value: 1.0 }])?,
            Err(Why::Unfit(unfit)) => return Err(unfit),
            // No point is lost by it: a remark.
            Err(why) => self.brought.refused.add(0, || format!("{TARGET_INFO} was left out: {}", why.text())),
        }
        Ok(self.kept)
    }
}
