import type { MessageChannelEnd } from '../protocol/rpc.js';

interface PortLike {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  off(event: 'message', listener: (message: unknown) => void): unknown;
}

/** A worker or its parent port as an end of the RPC. */
export function messagePortChannel(port: PortLike): MessageChannelEnd {
  return {
    post: (message) => port.postMessage(message),
    listen(listener) {
      const deliver = (message: unknown) => {
        // The one message that is not RPC says that a worker is up.
        if (message !== 'ready') listener(message);
      };
      port.on('message', deliver);
      return () => port.off('message', deliver);
    },
  };
}
