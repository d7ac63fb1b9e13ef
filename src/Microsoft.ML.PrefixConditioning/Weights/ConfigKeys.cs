using System.Globalization;
using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>The keys of one object in a pretrained model's configuration: those that are honored, those that change no embedding, and those
/// that may have one value only.</summary>
/// <remarks>
/// Sources: <c>CLIPVisionCfg</c>, <c>CLIPTextCfg</c>, <c>PreprocessCfg</c> and <c>get_tokenizer</c> of open_clip v3.3.0 and later;
/// <c>CLIPConfig</c>, <c>CLIPImageProcessor</c> and <c>CLIPTokenizer</c> of Hugging Face's transformers 4 and 5. docs/pretrained.md repeats
/// what is refused.
/// </remarks>
internal sealed class ConfigKeys
{
    private const string Nothing = "null";   // also an empty text, list or object: Python takes all of them for "not set"

    // Generation, labels and bookkeeping that transformers writes into every configuration; no CLIP model reads them.
    private const string OfAnyConfig = "_name_or_path _commit_hash _attn_implementation _attn_implementation_autoset add_cross_attention " +
        "architectures attn_implementation bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward " +
        "cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype early_stopping " +
        "encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id " +
        "gradient_checkpointing id2label is_decoder is_encoder_decoder label2id length_penalty max_length min_length " +
        "no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states output_past " +
        "output_scores pad_token_id prefix problem_type remove_invalid_values repetition_penalty return_dict return_dict_in_generate " +
        "sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings " +
        "tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p use_bfloat16 use_cache " +
        "initializer_factor initializer_range ";

    // The parts of open_clip's transformer blocks that the towers here do not have.
    private static readonly (string, string)[] BlockParts =
    [
        ("block_type", "null|default"), ("qk_norm", "false"), ("scaled_cosine_attn", "false"), ("scale_heads", "false"),
        ("scale_attn_inner", "false"), ("scale_attn", "false"), ("scale_fc", "false"), ("ls_init_value", Nothing),
        ("act_kwargs", Nothing), ("norm_kwargs", Nothing), ("final_ln_after_pool", "false"),
    ];

    /// <summary>The whole of open_clip_config.json.</summary>
    public static ConfigKeys OpenClip { get; } = new("model_cfg preprocess_cfg", "");

    /// <summary>open_clip's "model_cfg", or a file that holds nothing else.</summary>
    public static ConfigKeys OpenClipModel { get; } = new("embed_dim vision_cfg text_cfg quick_gelu preprocess_cfg",
        "cast_dtype init_logit_bias init_logit_scale nonscalar_logit_scale output_dict",
        ("custom_text", "false"), ("multimodal_cfg", Nothing), ("audio_cfg", Nothing));

    /// <summary>open_clip's "vision_cfg".</summary>
    public static ConfigKeys OpenClipVision { get; } = new("image_size patch_size width layers head_width mlp_ratio",
        "attn_pooler_heads attn_pooler_queries image_seq_len output_tokens patch_dropout timm_drop timm_drop_path timm_model_kwargs " +
        "timm_model_pretrained timm_pool timm_proj timm_proj_bias",   // timm_... without timm_model_name, attn_... without attentional_pool
        [.. BlockParts, ("timm_model_name", Nothing), ("attentional_pool", "false"), ("global_average_pool", "false"), ("pool_type", "tok"),
            ("no_ln_pre", "false"), ("pos_embed_type", "learnable"), ("input_patchnorm", "false"), ("in_chans", "3")]);

    /// <summary>open_clip's "text_cfg".</summary>
    public static ConfigKeys OpenClipText { get; } = new(
        "context_length vocab_size width heads layers mlp_ratio hf_tokenizer_name tokenizer_kwargs",
        // Token ids: padding behind the end token changes nothing, and the others must be the vocabulary's own.
        "pad_id bos_id eos_id output_tokens hf_model_config hf_model_pretrained hf_pooler_type hf_proj_type tiktoken_name " +
        "attention_mode attn_gated gate_bias mlp_type norm_eps norm_placement pos_embed pre_norm reg_tokens rope_temperature " +
        "value_residual zero_init_residual",   // of the text tower that "text_arch" would choose
        [.. BlockParts, ("text_arch", "clip"), ("hf_model_name", Nothing), ("embed_cls", "false"), ("pool_type", "argmax"),
            ("no_causal_mask", "false"), ("proj_bias", "false"), ("proj_type", "linear"), ("norm_type", "null|layernorm"),
            ("attention_bias", "true"), ("mlp_bias", "true"), ("variable_text", "false"), ("tokenizer_type", Nothing),
            ("tokenizer_mode", Nothing)]);

    /// <summary>open_clip's "tokenizer_kwargs".</summary>
    public static ConfigKeys OpenClipTokenizer { get; } = new("", "trust_remote_code use_fast",
        ("clean", "lower"), ("reduction_mask", Nothing), ("strip_sep_token", "false"), ("additional_special_tokens", Nothing),
        ("language", Nothing));

    /// <summary>open_clip's "preprocess_cfg".</summary>
    public static ConfigKeys OpenClipPreprocess { get; } = new("mean std",
        "size fill_color",   // the tower's own image size counts there too, and what is cropped is not filled
        ("mode", "RGB"), ("interpolation", "bicubic"), ("resize_mode", "shortest"));

    /// <summary>Hugging Face's config.json.</summary>
    public static ConfigKeys HuggingFace { get; } = new("projection_dim text_config vision_config text_config_dict vision_config_dict",
        OfAnyConfig + "eos_token_id logit_scale_init_value",
        ("model_type", "clip"), ("quantization_config", Nothing), ("auto_map", Nothing), ("pruned_heads", Nothing));

    /// <summary>Hugging Face's "text_config".</summary>
    public static ConfigKeys HuggingFaceText { get; } = new("vocab_size hidden_size intermediate_size num_hidden_layers " +
        "num_attention_heads max_position_embeddings hidden_act eos_token_id", OfAnyConfig + "attention_dropout dropout projection_dim",
        ("model_type", "clip_text_model"), ("layer_norm_eps", "1e-05"), ("quantization_config", Nothing), ("pruned_heads", Nothing));

    /// <summary>Hugging Face's "vision_config".</summary>
    public static ConfigKeys HuggingFaceVision { get; } = new("hidden_size intermediate_size num_hidden_layers num_attention_heads " +
        "image_size patch_size hidden_act", OfAnyConfig + "attention_dropout dropout eos_token_id projection_dim",
        ("model_type", "clip_vision_model"), ("layer_norm_eps", "1e-05"), ("num_channels", "3"), ("quantization_config", Nothing),
        ("pruned_heads", Nothing));

    /// <summary>Hugging Face's processor_config.json of transformers 5.</summary>
    public static ConfigKeys Processor { get; } = new("image_processor", "auto_map feature_extractor processor_class tokenizer");

    /// <summary>Hugging Face's preprocessor_config.json, or "image_processor" in processor_config.json.</summary>
    public static ConfigKeys ImageProcessor { get; } = new("image_mean image_std size crop_size",
        "_processor_class _valid_processor_keys backend data_format device disable_grouping do_convert_rgb image_seq_length " +
        "input_data_format pad_size processor_class return_tensors size_divisor use_fast",   // images are always converted to RGB
        ("image_processor_type", ImageProcessors), ("feature_extractor_type", ImageProcessors), ("resample", "3"),
        ("do_resize", "true"), ("do_center_crop", "true"), ("do_rescale", "true"), ("rescale_factor", "0.00392156862745098"),
        ("do_normalize", "true"), ("do_pad", "false"), ("default_to_square", "false"), ("use_square_size", "false"), ("auto_map", Nothing));

    /// <summary>Hugging Face's tokenizer_config.json.</summary>
    public static ConfigKeys Tokenizer { get; } = new("bos_token eos_token model_max_length",
        "added_tokens_decoder backend clean_up_tokenization_spaces errors is_local local_files_only max_length model_input_names " +
        "name_or_path pad_to_multiple_of pad_token pad_token_type_id processor_class special_tokens_map_file stride tokenizer_file " +
        "truncation_strategy unk_token use_fast",
        ("tokenizer_class", "CLIPTokenizer|CLIPTokenizerFast|PreTrainedTokenizerFast|TokenizersBackend"), ("do_lower_case", "true"),
        ("add_prefix_space", "false"), ("add_bos_token", "true"), ("add_eos_token", "true"), ("padding_side", "right"),
        ("truncation_side", "right"), ("additional_special_tokens", Nothing), ("extra_special_tokens", Nothing),
        ("split_special_tokens", "false"), ("auto_map", Nothing));

    private const string ImageProcessors = "CLIPImageProcessor|CLIPImageProcessorFast|CLIPImageProcessorPil|CLIPFeatureExtractor";

    private readonly Dictionary<string, string[]> _values = new(StringComparer.Ordinal);   // none: any value

    private ConfigKeys(string honored, string harmless, params (string Name, string Only)[] bound)
    {
        foreach (var name in $"{honored} {harmless}".Split(' ', StringSplitOptions.RemoveEmptyEntries)) _values.Add(name, []);
        foreach (var (name, only) in bound) _values.Add(name, only.Split('|'));
    }

    /// <summary>Whether the key is in the table.</summary>
    public bool Knows(string name) => _values.ContainsKey(name);

    /// <summary>The only values that a key may have, as messages give them; null where the value may stand.</summary>
    public string? OnlyValue(string name, JsonElement value)
    {
        var only = _values[name];
        return only.Length == 0 || value.ValueKind == JsonValueKind.Null || only.Any(o => Is(value, o)) ? null : string.Join(" or ", only);
    }

    private static bool Is(JsonElement value, string only) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => value.GetRawText() == only,
        JsonValueKind.Number => double.TryParse(only, CultureInfo.InvariantCulture, out var number)
            && Math.Abs(value.GetDouble() - number) <= 1e-6 * Math.Abs(number),   // 1/255 is written with more or fewer digits
        JsonValueKind.String => value.GetString() == (only == Nothing ? "" : only),
        JsonValueKind.Array => only == Nothing && value.GetArrayLength() == 0,
        _ => only == Nothing && !value.EnumerateObject().Any(),
    };
}
