/**
 * Replies that main decides: the client waits while main is asked over the bus.
 *
 * Runs on the thread of the connection.
 */
import { type ReplyWriter, writeError } from '../resp/reply-writer.ts';
import { type Call, deferReply } from './call.ts';

/**
 * Asks main, for at most `waitMs` (by default as long as the bus waits), and has `write` append the reply to what it answers.
 * Where it does not answer, the log gets the reason and the client an error.
 */
export function replyFromMain<Answer>(
  call: Call,
  topic: string,
  payload: unknown,
  write: (reply: ReplyWriter, answer: Answer) => void,
  waitMs?: number,
): void {
  const { log, bus } = call.engine;
  const deferred = deferReply(call);
  bus.requestMain(topic, payload, waitMs).then(
    (answer) => deferred.resume((reply) => write(reply, answer as Answer)),
    (error) => {
      log.error(`'${topic}' was not answered`, error);
      deferred.resume((reply) =>
        writeError(reply, 'ERR the main thread does not answer; the log has the reason'),
      );
    },
  );
}
