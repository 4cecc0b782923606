/**
 * What a thread has to know of the others before it serves: who watches all commands, who tracks keys, who listens to what, who waits for which keys.
 *
 * Runs on every thread that executes commands, once, at its start.
 */
import { installBlocking } from './blocking-topics.ts';
import { installClusterLinks } from './cluster-links.ts';
import { learnNodes } from './cluster-view.ts';
import type { Engine } from './engine.ts';
import { installMonitorTopics } from './monitor.ts';
import { installPubSub } from './pubsub.ts';
import { installTrackingTopics } from './tracking-topics.ts';

/**
 * Answers the others' questions from now on, and resolves when the own ones are answered. `generation` counts the threads that
 * have been in this one's place before.
 */
export async function joinThreads(engine: Engine, generation: number): Promise<void> {
  installClusterLinks(engine);
  installBlocking(engine, generation);
  await Promise.all([
    installMonitorTopics(engine, generation),
    installTrackingTopics(engine, generation),
    installPubSub(engine, generation),
    learnNodes(engine),
  ]);
}
