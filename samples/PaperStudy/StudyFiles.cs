namespace PaperStudy;

internal static class StudyFiles
{
    public static void Write(StudyResults results, string folder) => _ = (results, folder);
}
