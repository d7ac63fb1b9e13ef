namespace Microsoft.ML.PrefixConditioning;

/// <summary>Layouts in which other programs store CLIP models.</summary>
public enum ClipLayout
{
    /// <summary>open_clip: <c>open_clip_model.safetensors</c> (<c>visual.conv1.weight</c>, ...) and <c>open_clip_config.json</c>.</summary>
    OpenClip,

    /// <summary>Hugging Face's <c>CLIPModel</c>: <c>model.safetensors</c>, <c>config.json</c> and
    /// <c>preprocessor_config.json</c>.</summary>
    HuggingFace,
}
