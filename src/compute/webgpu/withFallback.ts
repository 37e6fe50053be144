import { isGpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import type { Methods } from '../../rpc/rpc.js';
import type { TaskMachine, TaskRunner } from '../taskMachine.js';

/** Runs tasks whose results do not depend on what was run before. */
export type TaskRunners = Pick<TaskMachine, 'tasks' | 'chunkElements'>;

/**
 * Runs tasks on one machine, and from its failure on on another, from the first task on whose result was not
 * delivered. For tasks that leave nothing in the memory of their machine.
 * @param onFailure hears of the failure, once
 */
export function withFallback(
  first: TaskRunners,
  second: TaskRunners,
  onFailure: (failure: Error) => void,
): TaskRunners {
  let hasFailed = false;
  const runnerOf = <Api extends Methods<Api>>(): TaskRunner<Api> => ({
    async run(method, tasks, onResult, signal) {
      const left = new LeftTasks(tasks);
      if (!hasFailed) {
        try {
          await first.tasks<Api>().run(method, left.given(), left.delivering(onResult), signal);
          return;
        } catch (error) {
          if (!isGpuFailure(error)) throw error;
          if (!hasFailed) onFailure(error);
          hasFailed = true;
        }
      }
      await second.tasks<Api>().run(method, left.all(), left.delivering(onResult), signal);
    },
  });
  return { tasks: runnerOf, chunkElements: first.chunkElements };
}

/** Tasks, and which of them have no result yet. */
class LeftTasks<Task> {
  private readonly iterator: Iterator<Task>;
  /** Given out, and not delivered. */
  private waiting: Task[] = [];
  private delivered = 0;

  constructor(tasks: Iterable<Task>) {
    this.iterator = tasks[Symbol.iterator]();
  }

  *given(): Generator<Task> {
    for (let next = this.iterator.next(); !next.done; next = this.iterator.next()) {
      this.waiting.push(next.value);
      yield next.value;
    }
  }

  /** Those without a result, from the first on. */
  *all(): Generator<Task> {
    const again = this.waiting;
    this.waiting = [];
    for (const task of again) {
      this.waiting.push(task);
      yield task;
    }
    yield* this.given();
  }

  delivering<Result>(
    onResult: (result: Result, index: number) => void | Promise<void>,
  ): (result: Result) => void | Promise<void> {
    return (result) => {
      this.waiting.shift();
      return onResult(result, this.delivered++);
    };
  }
}
