//! What must hold after every single step, whatever the world does.

use cais_engine::event::Event;
use cais_engine::state::{Outcome, State};

/// What is known of the past, as far as a promise spans several steps.
#[derive(Default)]
pub struct Checks {}

impl Checks {
    pub fn after_step(
        &mut self,
        _before: &State,
        _event: &Event,
        _outcome: &Outcome,
        _after: &State,
        _now: u64,
    ) {
    }
}
