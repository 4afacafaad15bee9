// The records of domains, as files.
using System.Text.Json;

namespace Xenod.Domains;

/// <summary>Keeps a file for each domain. A record is there whole or not at all, whenever the daemon is killed.</summary>
/// <param name="directory">Lies where a boot of the machine starts with nothing: domains do not outlive the hypervisor.</param>
internal sealed class DomainRecords(string directory)
{
    private const string Suffix = ".json";

    /// <summary>All records.</summary>
    internal IReadOnlyList<DomainRecord> Load()
    {
        Directory.CreateDirectory(directory);
        List<DomainRecord> records = [];
        foreach (string path in Directory.EnumerateFiles(directory, "*" + Suffix))
        {
            records.Add(JsonSerializer.Deserialize(File.ReadAllBytes(path), DomainRecordJson.Default.DomainRecord)
                ?? throw new InvalidDataException($"{path} holds no domain's record; remove it and start the daemon again"));
        }

        return records;
    }

    /// <summary>Writes a record in place of the one before.</summary>
    internal void Save(DomainRecord record)
    {
        string path = PathOf(record.Uuid);
        string fresh = path + ".new";
        File.WriteAllBytes(fresh, JsonSerializer.SerializeToUtf8Bytes(record, DomainRecordJson.Default.DomainRecord));
        File.Move(fresh, path, overwrite: true);
    }

    /// <summary>Removes a record, if there is one.</summary>
    internal void Remove(Guid uuid) => File.Delete(PathOf(uuid));

    private string PathOf(Guid uuid) => Path.Combine(directory, uuid.ToString("D") + Suffix);
}
