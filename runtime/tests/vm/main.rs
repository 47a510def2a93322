//! The engine against hostile and ordinary modules, from outside: what is admitted, how calls end, what they cost.
// A test that cannot set its world up has nothing better to do than to stop.
#![allow(clippy::unwrap_used)]

mod admission;
mod artefact;
mod desk;
mod gas;
mod instrument;
mod kept;
mod limits;
mod outcome;
mod profile;
mod weight;
