declare module 'plotly.js/dist/plotly-cartesian.min.js' {
  import * as Plotly from 'plotly.js';
  export default Plotly;
}

declare module '*.css';
