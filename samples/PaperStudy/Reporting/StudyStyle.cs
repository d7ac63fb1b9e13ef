namespace PaperStudy;

/// <summary>What the study's page adds to the samples' style sheet.</summary>
internal static class StudyStyle
{
    public const string Css = """

        :root { --better: #e2f1e4; --worse: #fbe4e1; }
        @media (prefers-color-scheme: dark) { :root { --better: #1f3b27; --worse: #4a2522; } }
        body { max-width: 84rem; }
        .wide { margin-bottom: 1.5rem; }
        .wide table { border-collapse: separate; border-spacing: 0; }
        .wide th, .wide td { padding: .4rem .45rem; }
        .wide th.number, .wide td.number { padding-right: 1.2rem; position: relative; }
        .wide th[scope=row], .wide th.first { position: sticky; left: 0; z-index: 1; background: var(--page); text-align: left; }
        .text { display: block; width: max-content; max-width: 18rem; overflow-wrap: anywhere; }
        th .text { max-width: 12rem; }
        thead th { vertical-align: bottom; }
        tbody td, tbody th { vertical-align: top; }
        .detail { display: block; color: var(--soft); font-size: .8125rem; line-height: 1.25rem; font-weight: normal; }
        .sign { position: absolute; right: .2rem; font-size: .8125rem; line-height: 1.5rem; }
        @media (max-width: 40rem) { th .text { max-width: 7rem; } td .text { max-width: 13rem; } }
        @media print { .wide { overflow: visible; } }
        td.better { background: var(--better); }
        td.worse { background: var(--worse); }
        .charts { grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); margin: 1rem 0 2rem; }
        main > .chart { max-width: 60rem; }
        figure .chart text { paint-order: stroke; stroke: var(--panel); stroke-width: 4; }
        .chart text.soft { fill: var(--soft); }
        .whisker { stroke-width: 2; }
        .dot { stroke: var(--panel); stroke-width: 1.5; }
        .dot.series0 { fill: var(--series0); }
        .dot.series1 { fill: var(--series1); }
        .dot.series2 { fill: var(--series2); }
        .dot.series3 { fill: var(--series3); }
        """;
}
