// TensorFlow.js prints advice and a banner through console.warn when a backend loads; tests are quiet.
import { env } from '@tensorflow/tfjs-core';

env().set('PROD', true);
