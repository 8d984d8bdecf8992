//! The history as a whole, through its doors: random play against a plain model, every storage call failing in
//! its turn, readers who hold on to what they see, and the bounds.

mod belief;
mod bounds;
mod columns;
mod damaged;
mod faults;
mod leftovers;
mod model;
mod names;
mod play;
mod room;
mod views;
