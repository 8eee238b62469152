import { render } from 'preact';
import './style.css';
import { App, applyTheme } from './app.js';

applyTheme();
const root = document.querySelector('#app');
if (root !== null) render(<App />, root);
