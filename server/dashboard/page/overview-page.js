export class OverviewPage extends HTMLElement {
  show() {}
}
