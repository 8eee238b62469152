import { render } from 'preact';
import './style.css';
import { App, applyTheme } from './app.js';
import { addBaseToLinks } from './base-path.js';

applyTheme();
addBaseToLinks();
const root = document.querySelector('#app');
if (root !== null) render(<App />, root);
