// Program of the fuzzing threads: every reader of something that comes from a file, a page or a terminal.
import { serveFuzzing } from './serve.js';
import { TARGETS } from './targets/index.js';

serveFuzzing(TARGETS);
