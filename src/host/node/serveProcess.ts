import {
  connect,
  type Handlers,
  type MessageChannelEnd,
  type Methods,
  type Remote,
} from '../../rpc/rpc.js';

/**
 * Answers the process that started this one; the last statement of its program.
 * @param handlersOf makes the handlers from the argument and from what the other side offers
 */
export function serveProcess<Api extends Methods<Api>, Other extends Methods<Other>>(
  handlersOf: (argument: string, other: Remote<Other>) => Handlers<Api>,
): void {
  const channel: MessageChannelEnd = {
    post: (message) => void process.send?.(message),
    listen(listener) {
      process.on('message', listener);
      return () => process.off('message', listener);
    },
  };
  // Whoever started it is gone, and so is the work.
  process.once('disconnect', () => process.exit());
  const handlers: Record<string, unknown> = {};
  const { remote } = connect<Api, Other>(channel, handlers as Handlers<Api>);
  Object.assign(handlers, handlersOf(process.argv[2], remote));
}
