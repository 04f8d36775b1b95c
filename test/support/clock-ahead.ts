// The clock of this machine, as far ahead as a test wants: to see what is said of work that stands still.
import { systemClock, type Clock } from '../../workloads/common/clock.ts';

export class ClockAhead implements Clock {
  aheadMs = 0;

  now(): number {
    return systemClock.now() + this.aheadMs;
  }

  wall = systemClock.wall;
  after = systemClock.after;
}
