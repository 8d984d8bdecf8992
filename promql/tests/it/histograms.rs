//! Classic histograms, and what is said of native ones.

use super::script::run;

const BUCKETS: &str = r#"
every 1m
h_bucket{job="a", le="1"} 10 10
h_bucket{job="a", le="2"} 30 5
h_bucket{job="a", le="+Inf"} 40 40
h_bucket{job="b", le="0.5"} 5 5
h_bucket{job="b", le="+Inf"} 10 _
"#;

#[test]
fn quantiles_of_buckets() {
    run(&format!(
        r#"{BUCKETS}
at 0s: histogram_quantile(0.5, h_bucket)
  {{job="a"}} 1.5
  {{job="b"}} 0.5
at 0s: histogram_quantile(0.5, sum by (le) (h_bucket{{job="a"}}))
  {{}} 1.5
at 0s: histogram_quantile(2, h_bucket{{job="b"}})
  {{job="b"}} +Inf
  warns quantile value should be between 0 and 1, got 2
at 1m: histogram_quantile(0.25, h_bucket{{job="a"}})
  {{job="a"}} 1
  informs input to histogram_quantile needed to be fixed for monotonicity
from 0s to 6m by 6m: histogram_quantile(0.1, h_bucket{{job="b"}})
  {{job="b"}} 0.1@0
at 0s: histogram_fraction(0, 1, h_bucket{{job="a"}})
  {{job="a"}} 0.25
at 0s: histogram_quantile(0.5, nothing)
  nothing
"#
    ));
}

#[test]
fn what_is_no_bucket_is_told() {
    run(r#"
every 1m
h{le="1"} 5
h{le="x"} 7
h 9
h{le="+Inf"} 10
at 0s: histogram_quantile(0.5, h)
  {} 1
  warns bucket label "le" is missing or has a malformed value of "x" for metric name "h"
  warns bucket label "le" is missing or has a malformed value of "" for metric name "h"
at 0s: histogram_count(h)
  nothing
  informs histogram_count reads native histograms, and there are none here
at 0s: histogram_sum(nothing)
  nothing
at 0s: histogram_avg(h) or histogram_stddev(h) or histogram_stdvar(h)
  nothing
  informs histogram_avg reads native histograms, and there are none here
  informs histogram_stddev reads native histograms, and there are none here
  informs histogram_stdvar reads native histograms, and there are none here
"#);
}
