/**
 * Runs asynchronous work one piece at a time, in the order in which it came. A worker has one region
 * of memory: a task must not begin before the one in front of it has left.
 */
export class TaskQueue {
  private last: Promise<unknown> = Promise.resolve();

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }
}
