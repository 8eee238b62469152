/** Loaded before a program of the crash suite: gives it the framework at CRASH_FRAMEWORK, a file's address, instead of today's. */
import { register } from 'node:module';

register('./older-hooks.js', import.meta.url);
