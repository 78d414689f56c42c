"""Names of flags that start scripts for Dragonfly may hold and that have no effect here.

They are taken so that such scripts work unchanged; each one that is used is named once in the log as ignored.
Their values are checked for their kind only. When one of them gains a meaning it moves to `flags.Options`.
Source: the flags that Dragonfly, its I/O library helio and glog define.
"""

from __future__ import annotations

_BOOL = """
always_flush_pipeline background_debug_jobs background_heartbeat
background_snapshotting backing_file_direct break_replication_on_master_restart
cluster_flush_decommit_memory cluster_search colorlogtostderr conn_use_incoming_cpu coro_squash
deserialize_hnsw_index disable_json_defragmentation
enable_memcache_io_loop_v2 enable_pipeline_squashing_v2
enable_resp_io_loop_v2 enable_tcp_defer_accept experimental_cascaded_partial_sync
experimental_cluster_shard_by_slot experimental_flat_json experimental_io_loop_v2
experimental_replicaof_v2 expose_http_api force_epoll get_zero_copy
info_replication_valkey_compatible journal_omit_redundant_writes jsonpathv2
keep_legacy_memory_metrics latency_tracking lua_allow_undeclared_auto_correct
lua_auto_async lua_enable_redis_log lua_resp2_legacy_float managed_service_info mget_dedup_keys
migrate_connections omit_basic_usage pipeline_parse_in_proactor
pipeline_prioritize_large_batches rdb_ignore_expiry rdb_load_dry_run
rdb_sbf_chunked replica_delete_expired replica_partial_sync replicaof_no_one_start_journal
s3_ec2_metadata s3_sign_payload s3_use_helio_client s3_use_https search_reject_legacy_field
serialization_tagged_chunks serialize_hnsw_index tiered_experimental_cooling
tiered_experimental_hash_support tiered_experimental_list_support tls_prefer_server_ciphers
tls_replication tls_session_caching unlink_experimental_async use_numeric_range_tree use_oah_set
version_check
"""
_INT = """
afl_loop_limit afl_target_port async_dispatch_quota
cf_bucket_size cf_expansion_factor cf_initial_size cf_max_expansions cf_max_iterations
cluster_coordinator_connect_timeout_ms cluster_coordinator_response_timeout_ms
conn_io_thread_start conn_io_threads container_iteration_yield_interval_usec epoll_file_threads
fiber_safety_margin fq_size interpreter_per_thread iobuf_min_shrink_interval_sec list_compress_depth
list_compress_dict_threshold list_compress_level list_max_listpack_size list_tiering_prefetch_depth
list_tiering_threshold log_squash_info_threshold_usec
lua_mem_gc_threshold master_connect_timeout_ms master_reconnect_timeout_ms max_busy_read_usec
max_busy_squash_usec max_segment_to_consider
mem_defrag_check_sec_interval migration_buckets_serialization_threshold
migration_buckets_sleep_usec migration_finalization_timeout_ms multi_eval_squash_buffer num_shards
pause_wait_timeout pipeline_queue_limit pipeline_squash_limit pipeline_wait_batch_usec
pubsub_slow_subscriber_timeout_ms registered_buffer_size replica_priority replication_acks_interval
replication_dispatch_threshold replication_stream_output_limit replication_timeout
scheduler_background_budget scheduler_background_sleep_prob scheduler_background_warrant
send_timeout shard_repl_backlog_len shard_repl_backlog_time_ms shard_thread_busy_polling_usec
slot_migration_connection_timeout_ms slot_migration_throttle_us squash_stats_latency_lower_limit
stderrthreshold tcp_user_timeout tiered_min_ttl_to_offload_ms tiered_min_value_size
tiered_storage_write_depth tls_session_cache_size tls_session_cache_timeout
uring_recv_buffer_cnt write_connection_throttling_sleep_usec
"""
_FLOAT = """
mem_defrag_page_utilization_threshold mem_defrag_threshold
mem_defrag_waste_threshold migration_buckets_cpu_budget
table_growth_margin tiered_offload_threshold tiered_upload_threshold
"""
_SIZE = """
disk_backpressure_file_max_bytes listpack_max_bytes listpack_max_field_len max_client_iobuf_len
pipeline_buffer_limit publish_buffer_limit request_cache_limit search_query_string_bytes
serialization_max_chunk_size shard_repl_backlog_max_bytes snapshot_egress_limit_bytes
squashed_reply_size_limit subset_knn_search_threshold tiered_max_file_size
tiered_max_pending_stash_bytes tiering_disk_storage_initial_size
"""
_TEXT = """
allocation_tracker availability_zone
default_lua_flags disk_backpressure_folder huffman_table input
lua_float_as_int_shas lua_undeclared_keys_shas luagc masterauth
masteruser proactor_affinity_mode replica_announce_ip replicaof s3_endpoint save_schedule
shard_round_robin_prefix tiered_prefix
tls_cipher_suites user vmodule
"""

KINDS: dict[str, str] = {
    name: kind
    for kind, names in (("bool", _BOOL), ("int", _INT), ("float", _FLOAT), ("size", _SIZE), ("text", _TEXT))
    for name in names.split()
}
"""Name -> kind of its value (a key of `flags.PARSERS`). Constant."""

WHY_NOT: dict[str, str] = {
    "default_lua_flags": "scripts may name keys that they did not declare, and are atomic all the same",
    "interpreter_per_thread": "each thread has one interpreter, in which any number of scripts may wait",
    "num_shards": "each thread is a shard; see --proactor_threads",
    "pipeline_buffer_limit": "of each connection at most 16 KB of commands are read ahead",
    "pipeline_queue_limit": "of each connection at most 16 KB of commands are read ahead",
    "pipeline_squash_limit": "see --max_squashed_cmd_num",
    "publish_buffer_limit": "subscribers that do not read are cut off by client-output-buffer-limit",
    "table_growth_margin": "tables grow by one segment at a time, some 20 KB",
    "masterauth": "this server follows no other and is a master",
    "replicaof": "this server follows no other and is a master",
    "save_schedule": "see --snapshot_cron",
    "tiered_prefix": "all data is in memory",
}
"""Why one of them has no effect, where users may have counted on it. Constant."""

PREFIXES = ("uring_",)
"""Flags of a whole family: helio's io_uring settings, of which there are more in every release."""


def ignored_kind(name: str) -> str | None:
    """The kind of value that the ignored flag `name` takes; None if there is no such flag."""
    kind = KINDS.get(name)
    if kind is None and name.startswith(PREFIXES):
        return "text"
    return kind
