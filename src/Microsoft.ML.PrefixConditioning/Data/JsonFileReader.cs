using System.Text.Json;

namespace Microsoft.ML.PrefixConditioning;

/// <summary>Reads the tokens of a JSON file in order; memory is bounded by the longest token.</summary>
internal sealed class JsonFileReader(Stream stream)
{
    private const int LongestToken = 1 << 24;

    private byte[] _buffer = new byte[1 << 16];
    private int _start, _end, _tokenStart, _tokenEnd;
    private long _bufferAt;
    private bool _isFinal;
    private JsonReaderState _state;

    /// <summary>The current token.</summary>
    public JsonTokenType Type { get; private set; }

    /// <summary>Position of the current token in the file.</summary>
    public long Offset => _bufferAt + _tokenStart;

    /// <summary>The current token's bytes, with the quotes of a string; valid until the next read.</summary>
    public ReadOnlySpan<byte> Token => _buffer.AsSpan(_tokenStart.._tokenEnd);

    /// <summary>Reads the next token; false at the end.</summary>
    /// <exception cref="JsonException">The file is no JSON, or is cut off.</exception>
    /// <exception cref="InvalidDataException">A token is too long.</exception>
    public bool Read()
    {
        while (true)
        {
            var reader = new Utf8JsonReader(_buffer.AsSpan(_start.._end), _isFinal, _state);
            if (reader.Read())
            {
                Type = reader.TokenType;
                (_tokenStart, _tokenEnd) = (_start + (int)reader.TokenStartIndex, _start + (int)reader.BytesConsumed);
                if (Type == JsonTokenType.PropertyName) _tokenEnd = _tokenStart + reader.ValueSpan.Length + 2;   // without the colon
                (_start, _state) = (_start + (int)reader.BytesConsumed, reader.CurrentState);
                return true;
            }
            if (_isFinal) return false;
            (_start, _state) = (_start + (int)reader.BytesConsumed, reader.CurrentState);
            Fill();
        }
    }

    /// <summary>Passes over the value that follows a property name, or that has begun.</summary>
    public void Skip()
    {
        if (Type == JsonTokenType.PropertyName) Read();
        if (Type is not (JsonTokenType.StartObject or JsonTokenType.StartArray)) return;
        for (var depth = 1; depth > 0 && Read();)
            depth += Type is JsonTokenType.StartObject or JsonTokenType.StartArray ? 1
                : Type is JsonTokenType.EndObject or JsonTokenType.EndArray ? -1 : 0;
    }

    private void Fill()
    {
        _buffer.AsSpan(_start.._end).CopyTo(_buffer);
        (_bufferAt, _end, _start) = (_bufferAt + _start, _end - _start, 0);
        if (_end == _buffer.Length)
        {
            if (_end >= LongestToken) throw new InvalidDataException($"a value at byte {_bufferAt} has more than {LongestToken} bytes.");
            Array.Resize(ref _buffer, _end * 2);
        }
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        _isFinal = read == 0;
    }
}
