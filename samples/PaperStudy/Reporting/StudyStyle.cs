namespace PaperStudy;

/// <summary>What the study's page adds to the samples' style sheet.</summary>
internal static class StudyStyle
{
    public const string Css = """

        :root { --better: #e2f1e4; --worse: #fbe4e1; }
        @media (prefers-color-scheme: dark) { :root { --better: #1f3b27; --worse: #4a2522; } }
        body { max-width: 76rem; }
        .wide { margin-bottom: 1.5rem; }
        .wide th[scope=row] { position: sticky; left: 0; background: var(--page); min-width: 8rem; text-align: left; }
        thead th { vertical-align: bottom; }
        tbody td, tbody th { vertical-align: top; }
        .detail { display: block; color: var(--soft); font-size: .8125rem; font-weight: normal; }
        td.better { background: var(--better); }
        td.worse { background: var(--worse); }
        """;
}
