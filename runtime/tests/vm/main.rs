//! The engine against hostile and ordinary modules, from outside: what is admitted, how calls end, what they cost.

mod admission;
mod desk;
mod gas;
mod instrument;
mod limits;
mod outcome;
