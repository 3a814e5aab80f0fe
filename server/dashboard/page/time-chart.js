export class TimeChart extends HTMLElement {}
