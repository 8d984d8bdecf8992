//! A sample of this machine; and sources that hang, fail and panic.

use super::*;
use pingup_protocol::ids::is_name;
use std::sync::mpsc;
use tokio::sync::{Mutex, mpsc as async_mpsc};

#[tokio::test]
async fn a_sample_of_this_machine_is_one_that_the_hub_takes() {
    let mut collector = Collector::primed().await;
    tokio::time::sleep(PRIMING).await;
    let sample = collector.measure().await;
    sample.check("/metrics").unwrap();
    assert!(sample.cpu.is_some() && sample.ram.is_some(), "{sample:?}");
    assert!(sample.latency.is_none(), "that is the transport's to tell");
    assert!(sample.further.iter().all(|(name, value)| is_name(name) && value.is_finite()));
    let names: Vec<_> = sample.further.iter().map(|(name, _)| name.as_str()).collect();
    for expected in ["load1", "processes", "uptime_seconds", "net_rx_bytes_per_second"] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
}

#[test]
fn shares_stay_within_a_hundred() {
    assert_eq!(percent(1, 3), Some(33.33));
    assert_eq!(percent(5, 4), Some(100.0));
    assert_eq!(percent(0, 0), None);
}

/// A source that says when it begins, and then does what it is told.
struct Told {
    name: &'static str,
    begun: async_mpsc::UnboundedSender<()>,
    orders: mpsc::Receiver<Order>,
}

enum Order {
    Measure,
    Fail,
    Panic,
}

impl Source for Told {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        self.begun.send(()).unwrap();
        // It hangs until it is told something.
        match self.orders.recv().unwrap() {
            Order::Measure => add(sample, self.name, 1.0),
            Order::Fail => return Err("as it was told".to_owned()),
            Order::Panic => panic!("as it was told"),
        }
        Ok(())
    }
}

/// A good source on either side of one that is told what to do.
struct Scene {
    collector: Collector,
    orders: mpsc::Sender<Order>,
    begun: Mutex<async_mpsc::UnboundedReceiver<()>>,
}

struct Good(&'static str);

impl Source for Good {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        add(sample, self.0, 1.0);
        Ok(())
    }
}

impl Scene {
    fn set() -> Self {
        let (begun, heard) = async_mpsc::unbounded_channel();
        let (orders, given) = mpsc::channel();
        let told = Told { name: "told", begun, orders: given };
        let collector = Collector::of([
            ("first", boxed(Some(Good("first")))),
            ("told", boxed(Some(told))),
            ("absent", None),
            ("last", boxed(Some(Good("last")))),
        ]);
        Self { collector, orders, begun: Mutex::new(heard) }
    }

    /// Measures. The time is up for whoever has said that it began; for others it never is.
    async fn measure(&mut self) -> Vec<String> {
        let begun = &self.begun;
        let limit = || async { _ = begun.lock().await.recv().await };
        let sample = self.collector.measure_within(limit).await;
        sample.further.into_iter().map(|(name, _)| name).collect()
    }

    /// Measures with time enough for all.
    async fn measure_at_leisure(&mut self) -> Vec<String> {
        let sample = self.collector.measure_within(std::future::pending).await;
        sample.further.into_iter().map(|(name, _)| name).collect()
    }

    fn is_told(&self) -> Vec<bool> {
        self.collector.seats.iter().map(|seat| seat.is_told).collect()
    }
}

#[tokio::test]
async fn a_source_that_hangs_costs_its_own_measurements_until_it_comes_back() {
    let mut scene = Scene::set();
    for _ in 0..3 {
        assert_eq!(scene.measure().await, ["first", "last"]);
        assert_eq!(scene.is_told(), [false, true, false]);
    }
    assert!(scene.begun.get_mut().try_recv().is_err(), "it is not begun again while it hangs");
    // What hung comes back, and is measured like the others: the order is there before it asks.
    scene.orders.send(Order::Measure).unwrap();
    let Place::Away(done) = &mut scene.collector.seats[1].place else { panic!("it is away") };
    let Done { source, .. } = done.await.unwrap();
    scene.collector.seats[1].place = Place::Here(source);
    scene.orders.send(Order::Measure).unwrap();
    assert_eq!(scene.measure_at_leisure().await, ["first", "told", "last"]);
    assert_eq!(scene.is_told(), [false; 3]);
}

#[tokio::test]
async fn a_source_that_fails_costs_its_own_measurements() {
    let mut scene = Scene::set();
    for _ in 0..2 {
        scene.orders.send(Order::Fail).unwrap();
        assert_eq!(scene.measure_at_leisure().await, ["first", "last"]);
        assert_eq!(scene.is_told(), [false, true, false], "so it is said once");
    }
    scene.orders.send(Order::Measure).unwrap();
    assert_eq!(scene.measure_at_leisure().await, ["first", "told", "last"]);
    assert_eq!(scene.is_told(), [false; 3], "and would be said again");
}

#[tokio::test]
async fn a_source_that_panics_is_gone_and_the_others_stay() {
    let mut scene = Scene::set();
    scene.orders.send(Order::Panic).unwrap();
    for _ in 0..2 {
        assert_eq!(scene.measure_at_leisure().await, ["first", "last"]);
        assert_eq!(scene.is_told(), [false, true, false]);
    }
}

/// Told to stop in the middle: nothing is lost by that.
#[tokio::test]
async fn measuring_can_be_cut_off() {
    let mut scene = Scene::set();
    tokio::select! {
        biased;
        _ = async { tokio::join!(scene.collector.measure_within(std::future::pending::<()>)) } => panic!("it hangs"),
        _ = async { _ = scene.begun.lock().await.recv().await } => {}
    }
    (0..2).for_each(|_| scene.orders.send(Order::Measure).unwrap());
    assert!(scene.measure_at_leisure().await.ends_with(&["last".to_owned()]));
}
