"""The life of a round as the coordinator sees it: pure, so that every order of events can be tested.

`events` says what goes in and out, `machine` decides, `committee` chooses who computes. `coordinator.service` connects
the machine to the bus, the contract and the clock.
"""

from coordinator.lifecycle.events import Action, Event, Phase, Schedule
from coordinator.lifecycle.machine import CoordinatorMachine

__all__ = ["Action", "CoordinatorMachine", "Event", "Phase", "Schedule"]
