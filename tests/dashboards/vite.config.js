import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  define: { 'process.env': {}, global: 'globalThis' },
  build: { target: 'es2022', outDir: 'node_modules/.page', sourcemap: false, chunkSizeWarningLimit: 20000 },
  logLevel: 'warn',
});
