{
  'variables': {
    # No CPU flags: the build is for baseline x86-64; faster code is chosen at run time.
    'strict_cflags': ['-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-fvisibility=hidden',
                      '-ffile-prefix-map=<(module_root_dir)=.'],
  },
  'target_defaults': {
    'include_dirs': ['native'],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-fno-rtti'],
    'cflags_cc': ['-std=c++20', '<@(strict_cflags)'],
    'target_conditions': [
      # Debian's own node-gyp links everything with libnode. Our programs are none of Node's: it would only make their
      # start slow, and the static one cannot have it.
      ['_type == "executable"', {'libraries!': ['-lnode']}],
    ],
  },
  'targets': [
    {
      'target_name': 'core',
      'type': 'static_library',
      'sources': [
        'native/codec/batch.cc',
        'native/codec/block_avx2.cc',
        'native/codec/block_portable.cc',
        'native/codec/completion.cc',
        'native/codec/compressor.cc',
        'native/codec/crc.cc',
        'native/codec/decoder.cc',
        'native/codec/dynamic_header.cc',
        'native/codec/encoder.cc',
        'native/hostfs/host_root.cc',
        'native/hostfs/file_lock.cc',
        'native/model/chrome_trace.cc',
        'native/model/constants.cc',
        'native/model/counters.cc',
        'native/model/folio_table.cc',
        'native/model/iaa_crypto.cc',
        'native/model/idxd.cc',
        'native/model/kernel.cc',
        'native/model/machine.cc',
        'native/model/memcg.cc',
        'native/model/memory.cc',
        'native/model/page_content.cc',
        'native/model/scheduler.cc',
        'native/model/swap_area.cc',
        'native/model/validate.cc',
        'native/model/workload.cc',
        'native/model/zsmalloc.cc',
        'native/model/zswap.cc',
        'native/usemem/content.cc',
      ],
    },
    {
      'target_name': 'iaa_zswap',
      'dependencies': ['core'],
      'sources': ['native/addon.cc', 'native/napi/compressor_object.cc',
                  'native/napi/host_root_object.cc', 'native/napi/lock_object.cc',
                  'native/napi/model_config.cc', 'native/napi/model_object.cc'],
      # As a system header: our own warnings are not meant for it.
      'cflags_cc': ['-isystem', "<!(node -p \"require('path').dirname(require.resolve('node-addon-api'))\")"],
      'defines': [
        'NAPI_VERSION=9',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
    },
    {
      'target_name': 'usemem',
      'type': 'executable',
      'sources': [
        'native/usemem/content.cc',
        'native/usemem/main.cc',
        'native/usemem/options.cc',
        'native/usemem/report.cc',
        'native/usemem/run.cc',
      ],
    },
    {
      'target_name': 'launch',
      'type': 'executable',
      'sources': ['native/launch/main.cc'],
    },
    {
      'target_name': 'guest_init',
      'type': 'executable',
      'sources': ['native/guest/main.cc', 'native/guest/session.cc', 'native/guest/wire.cc'],
      'cflags_cc!': ['-fno-exceptions'],
      # It starts before there is a file system with libraries.
      'ldflags': ['-static'],
    },
  ],
}
