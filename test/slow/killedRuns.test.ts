import { it } from 'vitest';
import { expectLittleLeft } from '../support/killedRuns.js';

it('a hundred killed runs leave no more than one partial file', () => expectLittleLeft(100));
