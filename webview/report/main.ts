// The host of a report's page; the page is the comparison's own script, which comes after it.
import './localHost.js';
import './report.css';
